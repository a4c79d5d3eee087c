// Requests and answers as plain values.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace autosync::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Access;

/// Who is asked: most targets are one server.
enum class Peer : unsigned char { target, embedder };

struct Request {
    std::string method = "POST";
    std::string url;
    Headers headers; ///< never holds credentials: those are the connection's (see Access)
    std::string body;
    Peer peer = Peer::target;
    std::shared_ptr<const Access> access{}; ///< with credentials of its own, in place of the peer's
};

/// What came back, or why nothing did.
struct Response {
    enum class Failure : unsigned char {
        none,     ///< a complete HTTP answer: `status`, `headers`, `body`
        connect,  ///< nothing was sent: DNS, TCP, TLS, refused address
        timeout,  ///< sent, no (complete) answer in time: outcome unknown
        broken,   ///< sent, the answer ended early or was malformed: outcome unknown
        too_large ///< the answer exceeded the limit on decoded bytes: outcome unknown
    };
    Failure failure = Failure::none;
    std::string error; ///< human text for `failure`, without secrets
    long status = 0;
    std::string body; ///< decoded, at most Limits::answer_bytes
    std::string content_type;
    Headers headers; ///< those that some target asks for: RateLimit-…, DPoP-Nonce
    std::optional<std::chrono::seconds> retry_after; ///< from Retry-After (seconds or date), with 429 else from x-ratelimit-reset-…; in [0 s, 1 day]
    std::chrono::microseconds elapsed{0};
    std::size_t sent_bytes = 0;
    bool resent = false; ///< a kept connection ended without an answer and it was sent again on a new one: the server may have it twice
};

/// How a target's server is reached: the connection's secrets and security settings.
struct Access {
    std::string url;      ///< base URL, http or https, no trailing slash
    std::string username; ///< basic authentication, with `password`
    std::string password;
    std::string bearer_token;            ///< sent as 'Authorization: Bearer …'
    Headers secret_headers;              ///< e.g. api-key
    std::string sslmode = "verify-full"; ///< verify-full, verify-ca, require (no verification)
    std::string sslrootcert;
    std::string sslcert;
    std::string sslkey;
};

struct Limits {
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds request_timeout{120'000};
    std::size_t answer_bytes = 64U << 20; ///< cap on decoded bytes
    std::string allowed_hosts = "*";      ///< comma-separated; link-local and metadata addresses only when listed by name or address
};

} // namespace autosync::http
