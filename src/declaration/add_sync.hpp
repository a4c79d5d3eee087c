// Declaring one sync.
#pragma once

#include <string>

#include "declaration/check.hpp"

namespace autosync::declaration {

/// Checks, makes the triggers, and asks for the rows that exist. The caller has been checked to own the table and to have USAGE on the target.
Checked add_sync(Oid table, const std::string &target, const config::Options &options, bool backfill);
[[nodiscard]] bool is_synced(Oid table, const std::string &target);

} // namespace autosync::declaration
