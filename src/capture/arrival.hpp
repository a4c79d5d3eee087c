// delivery = wait: COMMIT returns when what the transaction wrote has arrived.
#pragma once

#include <string>

#include "pg/postgres.hpp"

namespace autosync::capture {

/// The commit of the current transaction is to wait until its change of this table has arrived at the target.
void await_arrival(const std::string &target, Oid table, bool truncated);
/// The transaction has committed: the wait begins when it has released its locks.
void begin_awaiting() noexcept;
/// Nothing is waited for (any more): the transaction wrote nothing, was prepared or rolled back.
void forget_awaited() noexcept;

} // namespace autosync::capture
