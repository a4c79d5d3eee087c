// The layout of the shared memory, for the files of this folder that write it.
#pragma once

#include "worker/shared.hpp"

namespace autosync::worker {

struct Shared {
    LWLock *lock;
    Latch *launcher;         ///< null: no launcher runs (a standby, a shutdown)
    int waiting;             ///< databases that wait for another's worker to give way
    pg_atomic_uint32 rescan; ///< somebody knows of a database that the launcher may not know
    DatabaseSlot databases[max_databases];
    TargetSlot targets[max_targets];
};

[[nodiscard]] Shared *shared() noexcept; ///< null when the library was not preloaded

/// The slot of a database, or null. To be called under the lock.
[[nodiscard]] DatabaseSlot *slot_of(Oid database) noexcept;
/// The same, made when missing; null when all are taken. Under the exclusive lock.
[[nodiscard]] DatabaseSlot *make_slot(Oid database) noexcept;
/// Forgets a database and its targets. Under the exclusive lock.
void free_slot(DatabaseSlot &slot) noexcept;

/// Lets the launcher look around at once; `rescan`: also at pg_database.
void alert_launcher(bool rescan) noexcept;

} // namespace autosync::worker
