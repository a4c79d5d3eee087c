// delivery = sync: what a transaction has changed is sent once before it commits.
#pragma once

#include <string>

#include "capture/buffer.hpp"
#include "pg/postgres.hpp"

namespace autosync::capture {

/// The current transaction's change of this table is to be sent before it commits.
void send_early(const std::string &target, Oid table, bool truncated);
/// Before the commit, as late as can be: hands over what `changes` holds and waits for the answer. `complete`: that is all that the transaction
/// has changed. What cannot be sent early is waited for after the commit. Raises where autosync.fail_silently is off.
void deliver_early(const Buffer &changes, bool complete);
/// Something may have been sent: if the transaction is rolled back, the worker has to bring back what was there.
[[nodiscard]] bool sent_early() noexcept;
void forget_early() noexcept;

} // namespace autosync::capture
