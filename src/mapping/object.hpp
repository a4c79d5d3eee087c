// JSON objects that a user's function has made, as text.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "mapping/source.hpp"

namespace autosync::mapping {

/// What stands between the braces. Throws std::invalid_argument when it is no object, or has a member of a name that is `reserved` (ending in '*':
/// that begins so).
[[nodiscard]] std::string_view members_of(std::string_view text, std::span<const std::string_view> reserved);

/// The place in a row of what the option `transform` gives; nullopt: the sync has none.
[[nodiscard]] std::optional<std::size_t> transform_place(const Source &source);

} // namespace autosync::mapping
