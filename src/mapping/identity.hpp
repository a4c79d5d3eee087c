// The one canonical text of an entity's key, and how a user's key becomes column values.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace autosync::mapping {

struct KeyPart {
    std::string_view name; ///< of the key column
    std::string_view text; ///< canonical text of its value
    bool integer = false;  ///< int2, int4, int8: a bare number in a composite key
};

/// One column: its text. Several: {"playlist_id": 1, "track_id": 3402}, in key order.
[[nodiscard]] std::string key_text(std::span<const KeyPart> parts);

/// A key as a user writes it -> one text per key column, in the order of `names`. One column: the key itself. Several: a flat JSON object
/// in any order and spacing. Numbers keep their digits. Throws std::invalid_argument with a message for the user.
[[nodiscard]] std::vector<std::string> read_key(std::string_view key, std::span<const std::string> names);

} // namespace autosync::mapping
