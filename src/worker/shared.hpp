// What launcher, workers and backends share in memory: one slot per database, statistics per target.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pg/postgres.hpp"

namespace autosync::worker {

inline constexpr int max_databases = 256;
inline constexpr int max_targets = 256;
inline constexpr int latency_samples = 1000;

/// One database as launcher, worker and backends see it. Guarded by the lock unless atomic.
struct DatabaseSlot {
    Oid database; ///< InvalidOid: free
    bool has_extension;
    bool wanted;                ///< somebody asks for a worker
    bool exhausted;             ///< the worker ended by itself: nothing pressing until wanted again
    pid_t worker;               ///< 0: none
    Latch *latch;               ///< of the worker; null as soon as it leaves
    pid_t evicted_by;           ///< a backend that needs the database to itself; no worker while it lives
    bool renew;                 ///< the worker is to be replaced: the settings of the database have changed
    int failures;               ///< workers that failed in a row
    std::uint32_t starts;       ///< workers so far
    TimestampTz next_start;     ///< not before
    TimestampTz started_at;     ///< of the last worker
    TimestampTz ended_at;       ///< of the last worker
    std::uint64_t reviews_asked; ///< how often somebody has asked the worker to look at what DDL has changed
    std::uint64_t reviewed;      ///< as many of them are answered
    pg_atomic_uint32 awake;     ///< set by the first commit since the worker last looked
    pg_atomic_uint32 write_log; ///< which of the three log tables writers append to
    char activity[64];          ///< what the worker is doing, for stat_workers
    char current_target[NAMEDATALEN];
    double events_per_second;
};

enum class TargetState : std::uint8_t { active, paused, backing_off, unreachable, unauthorized };

/// Cumulative figures of one target, written by its worker only.
struct TargetSlot {
    Oid database; ///< InvalidOid: free
    char name[NAMEDATALEN];
    TargetState state;
    std::int64_t delivered; ///< entities
    std::int64_t requests;
    std::int64_t bytes;
    std::int64_t refused;
    std::int64_t expired;
    std::int64_t embedded_texts;  ///< turned into vectors
    std::int64_t embedded_tokens; ///< as the embedder counted them
    std::int64_t embed_requests;
    std::int64_t embed_skipped;   ///< texts whose vector was at hand
    TimestampTz last_success;
    TimestampTz last_error_at;
    TimestampTz next_attempt; ///< 0: none
    bool hurry;               ///< somebody wants it tried now
    TimestampTz stats_reset;
    char last_error[512];
    std::int64_t pending;        ///< when it was counted last, for other databases
    TimestampTz oldest_pending;  ///< 0: nothing is
    TimestampTz counted_at;      ///< 0: never
    double events_per_second;    ///< delivered lately
    std::int64_t paced;          ///< delivered when that was worked out
    std::uint32_t latencies;                  ///< how many were ever noted; the ring holds the last latency_samples
    std::int32_t latency_us[latency_samples]; ///< commit to confirmation
};

void request_shared_memory(); ///< from _PG_init; does nothing unless preloaded
[[nodiscard]] bool shared_memory_available();

/// After a commit that left something in the outbox: wakes this database's worker, or asks the launcher for one. Never raises, never waits.
void wake(Oid database) noexcept;
/// Wakes the worker and asks it to look at all that is declared, as of now; the number of the request. 0: the launcher has yet to hear of
/// this database, so ask again.
[[nodiscard]] std::uint64_t ask_for_review(Oid database) noexcept;
[[nodiscard]] bool reviewed(Oid database, std::uint64_t request) noexcept;
/// For the worker: the last request so far, and how to say that it is answered.
[[nodiscard]] std::uint64_t reviews_asked(Oid database) noexcept;
void note_review(Oid database, std::uint64_t request) noexcept;
/// Which of the three log tables to append to first.
[[nodiscard]] std::uint32_t write_log(Oid database) noexcept;
void set_write_log(Oid database, std::uint32_t log) noexcept;

/// The lock on all slots, for a scope. Nothing inside may ereport().
class Locked final {
public:
    explicit Locked(LWLockMode mode) noexcept;
    ~Locked();
    Locked(const Locked &) = delete;
    Locked &operator=(const Locked &) = delete;
};

/// Copies, for views.
[[nodiscard]] std::vector<DatabaseSlot> databases();
[[nodiscard]] std::vector<TargetSlot> targets_of(Oid database);
[[nodiscard]] std::vector<TargetSlot> all_targets();

/// The target's slot (made when missing; nullptr when all are taken), to be written under Locked{LW_EXCLUSIVE}.
[[nodiscard]] TargetSlot *target_slot(Oid database, const char *name);
/// Changes the slot of a target of this database under its lock; nothing when there is no room for it, or no shared memory.
template <typename Change>
void change_slot(const std::string &target, Change &&change)
{
    if (!shared_memory_available())
        return;
    TargetSlot *const slot = target_slot(MyDatabaseId, target.c_str());
    if (slot == nullptr)
        return;
    const Locked locked{LW_EXCLUSIVE};
    change(*slot);
}
void forget_targets(Oid database, const std::vector<std::string> &except);

} // namespace autosync::worker
