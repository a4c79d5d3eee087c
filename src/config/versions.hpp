// The option `version`: the column that says which version of its entity a row is.
#pragma once

#include <string>

#include "config/catalog.hpp"
#include "config/options.hpp"

namespace autosync::config {

/// An SQL expression over the row of type int8: the number itself, of a point in time its microseconds since 1970; NULL where there is none.
/// Empty: the option is not given. Throws pg::Failure for a column that cannot be one.
[[nodiscard]] std::string version_expression(const Table &table, const mapping::Options &options);

} // namespace autosync::config
