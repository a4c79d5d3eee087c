// What libcurl is told about a request: everything is set anew for each, so nothing is left of the last one.
#include <algorithm>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "http/transfer.hpp"

namespace autosync::http {
namespace {

long milliseconds(std::chrono::milliseconds duration)
{
    return static_cast<long>(std::clamp<std::chrono::milliseconds::rep>(duration.count(), 1, 24L * 3600 * 1000));
}

} // namespace

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
            typed = typed || same_header(name, "content-type");
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

} // namespace autosync::http
