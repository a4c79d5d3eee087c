// What depends on a server: DROP SERVER says so, and takes it along with CASCADE.
#pragma once

#include "pg/postgres.hpp"

namespace autosync::declaration {

/// A trigger of a table, or a server.
struct Dependent {
    Oid catalog = InvalidOid; ///< TriggerRelationId or ForeignServerRelationId
    Oid object = InvalidOid;
    Oid table = InvalidOid; ///< of a trigger
};

/// Replaces what was recorded of it before; InvalidOid: it depends on no server any more.
void record_dependency(const Dependent &dependent, Oid server);
/// The same for what was there before, where it is missing: pg_upgrade does not carry it over. False: somebody has one of the two locked, and may
/// be about to drop it. Needs a transaction.
[[nodiscard]] bool restore_dependency(const Dependent &dependent, Oid server);

} // namespace autosync::declaration
