// Cutting off the files of a table, at any moment of which the server may crash.
#pragma once

#include "pg/postgres.hpp"

namespace autosync::pg {

/// Empties the table and its indexes, all of them btrees, in place: whether or not the transaction commits. Under an exclusive lock.
void truncate(Oid table);

} // namespace autosync::pg
