// Sessions: what is asked of a server to get one, keep one and end one, and what it answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace autosync::atproto {

/// A session's secrets, as they are stored.
struct Tokens {
    std::string access;
    std::string refresh;
    std::int64_t expires_at = 0; ///< of the access token, seconds since 1970; 0: unknown

    friend bool operator==(const Tokens &, const Tokens &) = default;
};

/// What a server says of a session that it has made or renewed.
struct Granted {
    std::string did;
    std::string handle;
    std::string pds; ///< from the DID document that came along; empty: none did
    Tokens tokens;
    bool active = true; ///< false: the account is deactivated, suspended or taken down
    std::string status; ///< then: which of these
};

[[nodiscard]] http::Request create_session(const std::string &pds, const std::string &identifier, const std::string &password);
[[nodiscard]] http::Request refresh_session(const std::string &pds); ///< with the refresh token as bearer token
[[nodiscard]] http::Request delete_session(const std::string &pds);  ///< likewise
/// nullopt: not such an answer.
[[nodiscard]] std::optional<Granted> read_session(const http::Response &response);

/// An OAuth client's refresh at its token endpoint.
[[nodiscard]] http::Request refresh_oauth(const std::string &endpoint, const std::string &client_id, const std::string &refresh_token);
[[nodiscard]] std::optional<Granted> read_oauth(const http::Response &response, std::int64_t now);

/// 'exp' of a JWT; 0: it has none, or is none. Its signature is its issuer's business.
[[nodiscard]] std::int64_t expiry_of(std::string_view jwt);

/// Where a DID's document is found: the directory for did:plc, the host itself for did:web. Empty for other methods.
[[nodiscard]] std::string did_document_url(std::string_view did, std::string_view directory);
/// The service #atproto_pds of a DID document; empty: none, or the document is another's.
[[nodiscard]] std::string pds_of(std::string_view document, std::string_view did);

} // namespace autosync::atproto
