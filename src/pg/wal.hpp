// Nothing is sent that PostgreSQL could still lose.
#pragma once

#include "pg/postgres.hpp"

namespace autosync::pg {

/// Flushes the WAL up to where it is being inserted now, which covers everything that any snapshot has seen so far. Returns that place.
[[nodiscard]] XLogRecPtr flush_wal();
/// Have the synchronous standbys, if any are configured, confirmed it?
[[nodiscard]] bool confirmed_by_standbys(XLogRecPtr place);

} // namespace autosync::pg
