// What a target's server, or its embedder, says, without the secrets that it was sent: it may repeat them.
#pragma once

#include <string>

#include "targets/target.hpp"

namespace autosync::targets {

/// `own`: of a request that had credentials of its own.
[[nodiscard]] std::string without_secrets(const Server &server, std::string text, const http::Access *own = nullptr);

} // namespace autosync::targets
