// Many HTTP requests at once over one libcurl multi handle; knows nothing of PostgreSQL, blocks nowhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "http/message.hpp"

namespace autosync::http {

/// Signals are blocked while libcurl runs, for the sake of its resolver's threads. SIGPIPE must be ignored by the process, as PostgreSQL does.
class Client final {
public:
    using Ticket = std::uint64_t;
    struct Answer {
        Ticket ticket;
        Response response;
    };

    Client();
    ~Client();
    Client(const Client &) = delete;
    Client &operator=(const Client &) = delete;

    /// Starts a request; move it in and its body is sent from where it lies. Control characters in URL or headers, a scheme other
    /// than http(s), or a host that is not allowed answer with Failure::connect.
    Ticket send(Request request, const Access &access, const Limits &limits);
    void cancel(Ticket ticket); ///< its answer, if any, is dropped; its connection, if over HTTP/1.1, is closed

    /// An epoll descriptor that is readable when work() has something to do.
    [[nodiscard]] int descriptor() const noexcept;
    /// How long work() may wait to be called if the descriptor stays silent; 0 when answers lie ready.
    [[nodiscard]] std::chrono::milliseconds patience() const;
    /// Drives all transfers without blocking; the answers that completed.
    [[nodiscard]] std::vector<Answer> work();
    [[nodiscard]] std::size_t in_flight() const noexcept; ///< sent, and not yet answered by work()

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace autosync::http
