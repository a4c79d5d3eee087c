// Record keys that sort by time: 53 bits of microseconds since 1970 and 10 bits that tell writers apart, in 13 characters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace autosync::atproto {

[[nodiscard]] std::string tid(std::int64_t microseconds, unsigned clock);
[[nodiscard]] bool is_tid(std::string_view text);

} // namespace autosync::atproto
