// New files of synced tables that are no reason to look at their rows again.
#pragma once

#include <string>

#include "pg/postgres.hpp"

namespace autosync::outbox {

/// To be called by whoever notes the TRUNCATE of the table for the target: what the files held until then no longer matters.
void note_emptied(Oid table, const std::string &target);
/// The statement that runs copies rows as they are (VACUUM FULL, CLUSTER, …), or does not. What it does to files is noted by itself.
void copying(bool rows) noexcept;
[[nodiscard]] bool copying() noexcept;
/// From _PG_init.
void watch_files();

} // namespace autosync::outbox
