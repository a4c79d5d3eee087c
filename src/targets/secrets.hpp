// What a target's server, or its embedder, says, without the secrets that it was sent: it may repeat them.
#pragma once

#include <string>

#include "targets/target.hpp"

namespace autosync::targets {

/// `own`: of a request that had credentials of its own.
[[nodiscard]] std::string without_secrets(const Server &server, std::string text, const http::Access *own = nullptr);

/// Hidden before a message is taken from it: those are cut, and half of a secret would be left.
[[nodiscard]] http::Response without_secrets(const Server &server, http::Response response, const http::Access *own = nullptr);

/// What `reader` makes of an answer. What the target holds comes as it is, though it may look like a secret; a problem comes without.
template <class Reader> [[nodiscard]] auto read_without_secrets(const Server &server, const http::Response &response, const Reader &reader)
{
    auto reply = reader(response);
    if (reply.problem.outcome != Outcome::delivered)
        reply.problem.message = without_secrets(server, reader(without_secrets(server, response)).problem.message);
    return reply;
}

} // namespace autosync::targets
