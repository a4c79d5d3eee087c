// Vectors as JSON text, checked: every one of their numbers is finite as the float32 that it will be stored as.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace autosync::embed {

inline constexpr std::size_t most_dimensions = 65'536;

/// '[1, 2.5]', which is JSON and pgvector's text form: how many numbers it has. nullopt: not a list of finite numbers, or an empty one.
[[nodiscard]] std::optional<std::size_t> count_numbers(std::string_view text);

/// float32 numbers, least significant byte first, in base64 -> JSON text. nullopt: not that, not finite, or none.
struct Decoded {
    std::string text;
    std::size_t dimensions = 0;
};
[[nodiscard]] std::optional<Decoded> from_base64(std::string_view text);

/// False, and nothing appended: not finite as a float32.
[[nodiscard]] bool append_number(std::string &out, double value);

} // namespace autosync::embed
