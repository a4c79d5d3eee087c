// What a PDS answers when it does not do what it was asked for.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "http/message.hpp"

namespace autosync::atproto {

/// Whose trouble an answer tells of.
enum class Answer : unsigned char {
    done,
    invalid,     ///< this record or batch as it stands: 400 InvalidRequest, 403 of a scope, 404, 413
    too_large,   ///< 413: less at once may do
    swapped,     ///< somebody else has changed the record: InvalidSwap
    missing,     ///< RecordNotFound
    expired,     ///< the access token: a refresh helps
    revoked,     ///< the session is over: somebody has to sign in again
    nonce,       ///< the proof has to carry the nonce that came with the answer
    limited,     ///< this identity's rate limit, until Reading::retry_after
    broken,      ///< 500: a create of what exists, an update of what does not, or a fault of the server's
    unreachable, ///< not applied: connect, 502, 503, 504
    unknown      ///< may have been applied: no complete answer
};

struct Reading {
    Answer answer = Answer::unknown;
    std::string error;   ///< the name: 'InvalidRequest'
    std::string message; ///< for people: 'InvalidRequest: …' or what went wrong on the way
    std::optional<std::chrono::seconds> retry_after;
    std::optional<unsigned> remaining; ///< points, by the header RateLimit-Remaining
    std::optional<std::chrono::seconds> reset;
};

[[nodiscard]] Reading read_answer(const http::Response &response);

/// What became of an account whose session is over, by what its server said: 'deactivated', 'taken_down' or else 'revoked', of the session alone.
[[nodiscard]] std::string account_state(std::string_view message);

/// A header that the answer came with; empty: none.
[[nodiscard]] std::string header(const http::Response &response, std::string_view name);

} // namespace autosync::atproto
