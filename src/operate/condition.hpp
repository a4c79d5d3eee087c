// A condition that a user hands over as text.
#pragma once

#include <optional>
#include <string>

#include "pg/postgres.hpp"

namespace autosync::operate {

/// How many rows of the table the planner expects to match; without a condition: all. Raises unless the condition is one expression
/// (42601), boolean over the table's columns (42703, 42804), with the rights of its owner.
[[nodiscard]] std::int64_t estimate_rows(Oid table, const std::optional<std::string> &condition);

} // namespace autosync::operate
