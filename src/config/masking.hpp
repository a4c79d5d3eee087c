// What of a table's rows does not leave the database as it is, and which rows count as deleted.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/catalog.hpp"
#include "config/options.hpp"

namespace autosync::config {

/// The option `mask`, checked against the table: its columns exist, and none identifies rows or holds a vector. Throws pg::Failure.
[[nodiscard]] std::map<std::string, Mask> column_masks(const Table &table, const std::vector<KeyColumn> &key, const mapping::Options &options);
/// The option `soft_delete` as a condition: a column counts when it is not null, one of type boolean when it is true. Empty: there is none.
[[nodiscard]] std::string deleted_condition(const Table &table, const mapping::Options &options);

} // namespace autosync::config
