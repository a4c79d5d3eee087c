// Writing chunks to the log from inside the user's transaction, below the executor: no privileges, no row security,
// no logical decoding, also in read-only transactions.
#pragma once

#include <string>

namespace autosync::outbox {

/// Appends one chunk under the current (sub)transaction. Dropped silently when the extension is gone or the database was never
/// adopted (adoption delivers all rows). Raises only for what would fail the user's own statement too.
void append(const std::string &bytes);

/// A subtransaction was rolled back, and with it, perhaps, the lock on the log.
void abort_subtransaction() noexcept;
/// The transaction has ended, either way.
void end_transaction() noexcept;

} // namespace autosync::outbox
