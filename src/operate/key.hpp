// Keys as users write them, and as events carry them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "config/sync.hpp"

namespace autosync::operate {

struct Key {
    std::string text;                 ///< canonical
    std::vector<std::string> columns; ///< canonical text per key column
};

/// Reads a key given by hand: the value of a one-column key, or a JSON object with all key columns.
/// Raises 22023 or what the column types raise (22P02, 22003, …).
[[nodiscard]] Key parse_key(const config::Sync &sync, const std::string &text);
/// The canonical text for values that are canonical already.
[[nodiscard]] std::string key_text(const config::Sync &sync, std::span<const std::string> columns);

} // namespace autosync::operate
