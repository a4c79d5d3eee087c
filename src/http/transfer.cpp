#include "http/transfer.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include <sys/socket.h>

namespace autosync::http {
namespace {

constexpr std::size_t header_limit = 256U << 10; ///< bytes of an answer's headers; libcurl 7.88 has no bound on their sum

// What targets ask for besides.
constexpr std::array<std::string_view, 4> asked_for{"ratelimit-remaining", "ratelimit-reset", "ratelimit-policy", "dpop-nonce"};

Transfer *transfer(void *self) noexcept { return static_cast<Transfer *>(self); }

} // namespace

Transfer::Transfer() : handle_{curl_easy_init()}
{
    if (!handle_)
        throw std::bad_alloc{};
}

Transfer *Transfer::of(CURL *handle) noexcept
{
    char *self = nullptr;
    curl_easy_getinfo(handle, CURLINFO_PRIVATE, &self);
    return reinterpret_cast<Transfer *>(self);
}

Response Transfer::finish(CURLcode code)
{
    using Failure = Response::Failure;
    auto response = std::move(response_);
    const auto elapsed = std::chrono::steady_clock::now() - started_;
    response.elapsed = std::chrono::duration_cast<std::chrono::microseconds>(elapsed);
    long head = 0;
    curl_off_t uploaded = 0;
    curl_easy_getinfo(handle(), CURLINFO_REQUEST_SIZE, &head);
    curl_easy_getinfo(handle(), CURLINFO_SIZE_UPLOAD_T, &uploaded);
    // A body that went out in one piece with the head is counted in both.
    response.sent_bytes = static_cast<std::size_t>(head > uploaded ? head : head + uploaded);
    if (code == CURLE_OK && headers_complete_) {
        curl_easy_getinfo(handle(), CURLINFO_RESPONSE_CODE, &response.status);
        if (response.status == 429 && !response.retry_after)
            response.retry_after = rate_limits_.wait();
    } else {
        // Half an answer is none: nobody shall take its status or body for one.
        response.body.clear();
        response.content_type.clear();
        response.headers.clear();
        response.retry_after.reset();
        response.error = error_[0] != '\0' ? error_.data() : curl_easy_strerror(code);
        if (code == CURLE_OK)
            response.error = "the answer ended within its headers";
        if (stop_ == Stop::refused_address)
            response.error = "the host's address is not among autosync.allowed_hosts";
        if (stop_ == Stop::too_large)
            response.error = "the answer is larger than allowed";
        if (stop_ == Stop::out_of_memory)
            response.error = "out of memory while reading the answer";
        if (!connected_ || stop_ == Stop::refused_address)
            response.failure = Failure::connect;
        else if (stop_ == Stop::too_large)
            response.failure = Failure::too_large;
        else
            response.failure = code == CURLE_OPERATION_TIMEDOUT ? Failure::timeout : Failure::broken;
    }
    abandon();
    return response;
}

void Transfer::abandon()
{
    curl_easy_reset(handle()); // keeps connections, forgets every option, credentials among them
    headers_.reset();
    error_[0] = '\0';
    allowed_.reset();
    host_ = AllowList::Host::refused;
    request_ = {};
    response_ = {};
    rate_limits_.clear();
    header_bytes_ = 0;
    headers_complete_ = false;
    connected_ = false;
    stop_ = Stop::none;
}

bool Transfer::permits(const Address &address) noexcept
{
    if (allowed_->address(host_, address))
        return true;
    stop_ = Stop::refused_address;
    return false;
}

void Transfer::read_header(std::string_view line)
{
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n' || line.back() == ' '))
        line.remove_suffix(1);
    if (line.empty()) {
        headers_complete_ = true;
        return;
    }
    if (line.starts_with("HTTP/")) { // a final answer after an interim one
        response_.content_type.clear();
        response_.headers.clear();
        response_.retry_after.reset();
        rate_limits_.clear();
        headers_complete_ = false;
        return;
    }
    const auto name = line.substr(0, line.find(':'));
    const auto value = line.substr(std::min(line.size(), line.find_first_not_of(": ", name.size())));
    if (same_header(name, "content-type"))
        response_.content_type = value;
    else if (same_header(name, "retry-after"))
        response_.retry_after = parse_retry_after(value, std::chrono::system_clock::now());
    else if (std::ranges::any_of(asked_for, [name](std::string_view one) { return same_header(name, one); }))
        response_.headers.emplace_back(name, value);
    else
        rate_limits_.note(name, value);
}

std::size_t Transfer::on_body(char *data, std::size_t size, std::size_t count, void *self) noexcept
{
    auto &here = *transfer(self);
    const auto bytes = size * count;
    if (bytes > here.answer_limit_ - std::min(here.answer_limit_, here.response_.body.size())) {
        here.stop_ = Stop::too_large;
        return CURL_WRITEFUNC_ERROR;
    }
    try {
        here.response_.body.append(data, bytes);
        return bytes;
    } catch (...) {
        here.stop_ = Stop::out_of_memory;
        return CURL_WRITEFUNC_ERROR;
    }
}

std::size_t Transfer::on_header(char *data, std::size_t size, std::size_t count, void *self) noexcept
{
    auto &here = *transfer(self);
    const auto bytes = size * count;
    here.header_bytes_ += bytes;
    if (here.header_bytes_ > header_limit) {
        here.stop_ = Stop::too_large;
        return CURL_WRITEFUNC_ERROR;
    }
    try {
        here.read_header({data, bytes});
        return bytes;
    } catch (...) {
        here.stop_ = Stop::out_of_memory;
        return CURL_WRITEFUNC_ERROR;
    }
}

/// Name resolution is over, the connection not begun: the only place where an address cannot change any more.
curl_socket_t Transfer::on_socket(void *self, curlsocktype, curl_sockaddr *address) noexcept
{
    const auto target = address_of(address->addr);
    if (!target || !transfer(self)->permits(*target))
        return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/// Asked before every request, also on a connection that was opened under another allow-list.
int Transfer::on_connected(void *self, char *peer, char *, int, int) noexcept
{
    auto &here = *transfer(self);
    try {
        const auto address = parse_address(peer);
        if (!address || !here.permits(*address))
            return CURL_PREREQFUNC_ABORT;
    } catch (...) {
        return CURL_PREREQFUNC_ABORT;
    }
    // One of several addresses may have been refused on the way to this one.
    here.stop_ = Stop::none;
    here.response_.resent = here.connected_;
    here.connected_ = true;
    return CURL_PREREQFUNC_OK;
}

} // namespace autosync::http
