// The triggers that are a sync, as DDL.
#pragma once

#include <string>

#include "config/catalog.hpp"
#include "config/options.hpp"

namespace autosync::declaration {

/// _autosync_<target><suffix>; a target's name that is too long keeps its beginning and a hash of the whole.
[[nodiscard]] std::string trigger_name(const std::string &target, const std::string &suffix);

/// Makes the row-level trigger and, unless `operations` leaves TRUNCATE out, its companion.
void create_triggers(const config::Table &table, const std::string &target, const config::Options &options);
/// Gives the triggers of a sync new arguments; events, condition and whether they are enabled stay.
void replace_triggers(const config::Table &table, const config::DeclaredTrigger &row, const config::DeclaredTrigger *companion, const config::Options &options);
void drop_triggers(const config::Table &table, const config::DeclaredTrigger &row, const config::DeclaredTrigger *companion);

} // namespace autosync::declaration
