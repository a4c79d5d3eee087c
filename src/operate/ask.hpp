// One request from a user's backend: waits for its answer, and can be cancelled.
#pragma once

#include "http/message.hpp"

namespace autosync::operate {

/// Waits for the answer at most as long as the limits say; raises when the statement is cancelled.
[[nodiscard]] http::Response ask(const http::Request &request, const http::Access &access, const http::Limits &limits);

} // namespace autosync::operate
