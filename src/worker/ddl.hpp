// Statements that change rows, or what they look like, without firing a row trigger: the worker is to look at the catalogs.
#pragma once

#include "pg/postgres.hpp"

namespace autosync::worker {

/// To be asked before the statement runs, while what it drops is still there. Temporary tables do not count. May raise, as the statement would.
[[nodiscard]] bool changes_unnoticed(const Node *statement);

} // namespace autosync::worker
