#include "http/transfer.hpp"

#include <algorithm>
#include <new>
#include <stdexcept>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace autosync::http {
namespace {

constexpr std::size_t header_limit = 256U << 10; ///< bytes of an answer's headers; libcurl 7.88 has no bound on their sum

Transfer *transfer(void *self) noexcept { return static_cast<Transfer *>(self); }

bool same_name(std::string_view line, std::string_view lower)
{
    return line.size() > lower.size() && line[lower.size()] == ':' && std::equal(lower.begin(), lower.end(), line.begin(), [](char a, char b) {
               return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b + 32) : b);
           });
}

long milliseconds(std::chrono::milliseconds duration)
{
    return static_cast<long>(std::clamp<std::chrono::milliseconds::rep>(duration.count(), 1, 24L * 3600 * 1000));
}

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

/// An option that libcurl does not take is never passed over: what was to be secured would not be.
template <typename Value> void Transfer::set(CURLoption option, Value value)
{
    const auto code = curl_easy_setopt(handle_.get(), option, value);
    if (code == CURLE_OUT_OF_MEMORY)
        throw std::bad_alloc{};
    if (code != CURLE_OK)
        throw std::runtime_error{std::string{"libcurl refuses an option: "} + curl_easy_strerror(code)};
}

void Transfer::start(std::uint64_t ticket, Request request, const Access &access, const Limits &limits, const Endpoint &endpoint,
                     std::shared_ptr<const AllowList> allowed)
{
    ticket_ = ticket;
    request_ = std::move(request);
    allowed_ = std::move(allowed);
    host_ = allowed_->host(endpoint.host);
    answer_limit_ = limits.answer_bytes;
    started_ = std::chrono::steady_clock::now();

    set_wire(limits, endpoint);
    set_security(access);
    set_request();
    set_headers(access);
}

void Transfer::set_wire(const Limits &limits, const Endpoint &endpoint)
{
    set(CURLOPT_PRIVATE, static_cast<void *>(this));
    set(CURLOPT_ERRORBUFFER, error_.data());
    set(CURLOPT_URL, request_.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L); // on a redirect libcurl drops Authorization but sends other secret headers on
    set(CURLOPT_PROXY, "");          // none, also none from the environment
    set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_QUICK_EXIT, 1L); // a resolver that hangs is left behind, not waited for
    // libcurl 7.88 cannot reuse cleartext HTTP/2 connections.
    set(CURLOPT_HTTP_VERSION, static_cast<long>(endpoint.secure ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    set(CURLOPT_TCP_NODELAY, 1L);
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
    set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(limits.connect_timeout));
    set(CURLOPT_TIMEOUT_MS, milliseconds(limits.request_timeout));
    // A server may think for as long as the timeout allows; a silence beyond it is the end even if the timer were missed.
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, milliseconds(limits.request_timeout) / 1000 + 1);
    set(CURLOPT_ACCEPT_ENCODING, "gzip");
    set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    set(CURLOPT_WRITEDATA, static_cast<void *>(this));
    set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    set(CURLOPT_HEADERDATA, static_cast<void *>(this));
    set(CURLOPT_OPENSOCKETFUNCTION, &Transfer::on_socket);
    set(CURLOPT_OPENSOCKETDATA, static_cast<void *>(this));
    set(CURLOPT_PREREQFUNCTION, &Transfer::on_connected);
    set(CURLOPT_PREREQDATA, static_cast<void *>(this));
}

void Transfer::set_security(const Access &access)
{
    const bool verify_peer = access.sslmode != "require";
    const bool verify_host = verify_peer && access.sslmode != "verify-ca";
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(CURLOPT_SSL_VERIFYPEER, verify_peer ? 1L : 0L);
    set(CURLOPT_SSL_VERIFYHOST, verify_host ? 2L : 0L);
    if (!access.sslrootcert.empty()) {
        set(CURLOPT_CAINFO, access.sslrootcert.c_str());
        set(CURLOPT_CAPATH, static_cast<const char *>(nullptr)); // that file alone is trusted, not the system's as well
    }
    if (!access.sslcert.empty())
        set(CURLOPT_SSLCERT, access.sslcert.c_str());
    if (!access.sslkey.empty())
        set(CURLOPT_SSLKEY, access.sslkey.c_str());
    if (!access.username.empty() && access.bearer_token.empty()) {
        set(CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        set(CURLOPT_USERNAME, access.username.c_str());
        set(CURLOPT_PASSWORD, access.password.c_str());
    }
}

void Transfer::set_request()
{
    const auto &method = request_.method;
    if (method == "HEAD") {
        set(CURLOPT_NOBODY, 1L);
        return;
    }
    if (request_.body.empty() && method != "POST" && method != "PUT" && method != "PATCH") {
        set(CURLOPT_HTTPGET, 1L);
    } else {
        set(CURLOPT_POST, 1L);
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
        set(CURLOPT_POSTFIELDS, request_.body.data());
    }
    set(CURLOPT_CUSTOMREQUEST, method.c_str());
}

void Transfer::set_headers(const Access &access)
{
    add_header("Expect:"); // else a body of more than 1 MB waits for a 100 Continue
    add_header("User-Agent: autosync");
    bool typed = false;
    const auto add = [&](const Headers &headers) {
        for (const auto &[name, value] : headers) {
            typed = typed || same_name(name + ':', "content-type");
            add_header(value.empty() ? name + ';' : name + ": " + value);
        }
    };
    add(request_.headers);
    add(access.secret_headers);
    if (!typed)
        add_header("Content-Type:"); // libcurl would claim that it is a form
    if (!access.bearer_token.empty())
        add_header("Authorization: Bearer " + access.bearer_token);
    set(CURLOPT_HTTPHEADER, headers_.get());
}

void Transfer::add_header(const std::string &line)
{
    auto *longer = curl_slist_append(headers_.get(), line.c_str());
    if (longer == nullptr)
        throw std::bad_alloc{};
    static_cast<void>(headers_.release());
    headers_.reset(longer);
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
    } else {
        // Half an answer is none: nobody shall take its status or body for one.
        response.body.clear();
        response.content_type.clear();
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
    if (line.starts_with("HTTP/")) { // a final answer after an interim one
        response_.content_type.clear();
        response_.retry_after.reset();
        headers_complete_ = false;
    } else if (line.empty()) {
        headers_complete_ = true;
    } else if (same_name(line, "content-type")) {
        line.remove_prefix(std::min(line.size(), line.find_first_not_of(' ', sizeof("content-type"))));
        response_.content_type = line;
    } else if (same_name(line, "retry-after")) {
        response_.retry_after = parse_retry_after(line.substr(sizeof("retry-after")), std::chrono::system_clock::now());
    }
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
    here.connected_ = true;
    return CURL_PREREQFUNC_OK;
}

} // namespace autosync::http
