// Text from outside, made fit for a table, a log and a person.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace autosync::delivery {

/// The beginning of what a server said: at most `limit` bytes of valid UTF-8 without NUL, '…' at the end when cut,
/// with the secrets that it was sent (a server may echo them) replaced by '***'.
[[nodiscard]] std::string excerpt(std::string_view text, std::size_t limit, std::initializer_list<const http::Access *> accesses);

} // namespace autosync::delivery
