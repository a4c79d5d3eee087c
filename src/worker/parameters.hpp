// Keys as text -> parameters of a statement.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "worker/read.hpp"
#include "worker/statement.hpp"

namespace autosync::worker {

/// One array per key column with one element per key; in the current memory context. Raises when a text is no value of the column's type.
[[nodiscard]] std::vector<Datum> key_arrays(const Statement &statement, std::span<const Wanted> wanted);
/// One value per key column. Raises likewise.
[[nodiscard]] std::vector<Datum> key_values(const Statement &statement, std::span<const std::string> columns);

} // namespace autosync::worker
