// How a key that a user writes becomes column values; mapping/key writes the canonical text.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace autosync::mapping {

/// A key as a user writes it -> one text per key column, in the order of `names`. One column: the key itself. Several: a flat JSON object
/// in any order and spacing. Numbers keep their digits. Throws std::invalid_argument with a message for the user.
[[nodiscard]] std::vector<std::string> read_key(std::string_view key, std::span<const std::string> names);

} // namespace autosync::mapping
