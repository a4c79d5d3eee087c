// Sessions whose COMMIT waits until what it wrote has arrived (delivery = wait): in shared memory, because they hold no transaction any more.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "outbox/cursor.hpp"
#include "pg/postgres.hpp"

namespace autosync::worker {

inline constexpr std::uint32_t most_tables = 8; ///< named one by one

/// What one session waits for.
struct Awaited {
    char target[NAMEDATALEN];
    std::uint64_t xid;     ///< that wrote it
    std::uint32_t tables;  ///< how many; more than most_tables: any
    std::array<Oid, most_tables> table;
    bool truncated;        ///< a TRUNCATE is among it
};

enum class Arrival : std::uint8_t { waiting, arrived, refused, unauthenticated, expired };

void request_waiters(); ///< in the hook that requests shared memory
void make_waiters();    ///< in the hook that lays it out; under AddinShmemInitLock

/// This session begins to wait; false: it has no place to. Nothing here raises.
[[nodiscard]] bool begin_to_wait(const Awaited &awaited) noexcept;
[[nodiscard]] Arrival arrival() noexcept;
void stop_waiting() noexcept;

/// For the worker: tells the sessions of its database whose changes have arrived. `cursors`: how far a target is; null: it is gone.
void answer_waiters(std::int64_t instance, const std::function<const std::map<Oid, outbox::Cursor> *(const std::string &)> &cursors);

} // namespace autosync::worker
