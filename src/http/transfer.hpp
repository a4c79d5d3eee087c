// One request on one libcurl easy handle: its options, what its callbacks gather, and the answer or failure it ends with.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <curl/curl.h>

#include "http/address.hpp"
#include "http/check.hpp"
#include "http/message.hpp"
#include "http/rate_limits.hpp"

namespace autosync::http {

/// Reusable: start(), then finish() or abandon(), and again. libcurl holds pointers into it, so it stays where it is.
class Transfer final {
public:
    Transfer();
    ~Transfer() = default;
    Transfer(const Transfer &) = delete;
    Transfer &operator=(const Transfer &) = delete;

    /// The request is the transfer's own until it ends, so that the body is sent from where it lies.
    void start(std::uint64_t ticket, Request request, const Access &access, const Limits &limits, const Endpoint &endpoint,
               std::shared_ptr<const AllowList> allowed);
    [[nodiscard]] Response finish(CURLcode code);
    void abandon(); ///< forgets request, answer and secrets

    [[nodiscard]] CURL *handle() const noexcept { return handle_.get(); }
    [[nodiscard]] std::uint64_t ticket() const noexcept { return ticket_; }
    [[nodiscard]] static Transfer *of(CURL *handle) noexcept;

private:
    struct Cleanup {
        void operator()(CURL *handle) const noexcept { curl_easy_cleanup(handle); }
        void operator()(curl_slist *list) const noexcept { curl_slist_free_all(list); }
    };

    template <typename Value> void set(CURLoption option, Value value);
    void set_wire(const Limits &limits, const Endpoint &endpoint);
    void set_security(const Access &access);
    void set_request();
    void set_headers(const Access &access);
    void add_header(const std::string &line);
    [[nodiscard]] bool permits(const Address &address) noexcept;
    void read_header(std::string_view line);

    // libcurl's callbacks: none may throw through it.
    static std::size_t on_body(char *data, std::size_t size, std::size_t count, void *self) noexcept;
    static std::size_t on_header(char *data, std::size_t size, std::size_t count, void *self) noexcept;
    static curl_socket_t on_socket(void *self, curlsocktype purpose, curl_sockaddr *address) noexcept;
    static int on_connected(void *self, char *peer, char *local, int peer_port, int local_port) noexcept;

    enum class Stop : std::uint8_t { none, refused_address, too_large, out_of_memory };

    std::unique_ptr<CURL, Cleanup> handle_;
    std::unique_ptr<curl_slist, Cleanup> headers_;
    std::array<char, CURL_ERROR_SIZE> error_{};
    std::uint64_t ticket_ = 0;
    std::shared_ptr<const AllowList> allowed_;
    AllowList::Host host_ = AllowList::Host::refused;
    Request request_;
    Response response_;
    RateLimits rate_limits_;
    std::size_t answer_limit_ = 0;
    std::size_t header_bytes_ = 0;
    bool headers_complete_ = false; ///< libcurl takes an answer that ends before that for a whole one
    bool connected_ = false;        ///< from here on something may have been sent
    Stop stop_ = Stop::none;
    std::chrono::steady_clock::time_point started_{};
};

/// Retry-After as seconds or HTTP date, clamped to [0 s, 1 day]; nullopt: neither. `now` is wall-clock time.
[[nodiscard]] std::optional<std::chrono::seconds> parse_retry_after(std::string_view value, std::chrono::system_clock::time_point now);

} // namespace autosync::http
