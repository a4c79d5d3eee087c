// Which columns identify the rows of a table.
#pragma once

#include <vector>

#include "config/catalog.hpp"

namespace autosync::config {

/// The columns of the option `key`, else of the primary key. Throws pg::Failure when they do not identify a row.
[[nodiscard]] std::vector<KeyColumn> choose_key(const Table &table, const mapping::Options &options);
/// The columns that an option names. Throws pg::Failure for one that does not exist.
[[nodiscard]] std::vector<const Attribute *> named_columns(const Table &table, std::string_view option, const std::string &list);
[[nodiscard]] std::vector<const Attribute *> named_columns(const Table &table, std::string_view option, const std::vector<std::string> &names);
/// "schema.table" for messages.
[[nodiscard]] std::string shown(const Table &table);

} // namespace autosync::config
