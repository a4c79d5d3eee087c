// Targets of the wrapper autosync_test live in this database: their requests are statements on autosync.sent.
#pragma once

#include <cstdint>
#include <string>

#include "http/message.hpp"

namespace autosync::worker {

/// Executes a request of an embedded kind in a transaction of its own and answers as a server would.
/// `instance`: who asks; an extension that was made anew meanwhile knows nothing of it (503).
/// `fail`: a regular expression; a batch with a matching key or document is refused (422).
[[nodiscard]] http::Response execute_embedded(std::int64_t instance, const std::string &target, const http::Request &request, const std::string &fail);

} // namespace autosync::worker
