// A condition that a user hands over as text.
#pragma once

#include <string>

#include "pg/postgres.hpp"

namespace autosync::operate {

/// Raises unless `condition` is one expression (42601), boolean over the columns of `table` (42703, 42804), with the rights of its owner.
/// Returns how many rows the planner expects to match; an empty condition matches all.
[[nodiscard]] std::int64_t estimate_rows(Oid table, const std::string &condition);

} // namespace autosync::operate
