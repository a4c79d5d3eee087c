// The launcher: knows every database of the cluster and decides which of them have a worker.
#include <algorithm>
#include <vector>

#include "config/settings.hpp"
#include "worker/databases.hpp"
#include "worker/launcher.hpp"
#include "worker/process.hpp"
#include "worker/slots.hpp"

#include "pg/bridge.hpp"

extern "C" PGDLLEXPORT void autosync_launcher_main(Datum argument);

namespace autosync::worker {

namespace {

constexpr int rescan_ms = 60'000;      ///< new databases announce themselves; this is for those that could not
constexpr int rescan_pause_ms = 1'000; ///< announcements do not make it look more often
constexpr int revisit_ms = 30'000;     ///< a database whose idle worker gave way gets its turn again after so long
constexpr int crowded_ms = 1'000;      ///< pause when the server has no free place for a process

/// A worker that was asked for. Until it has come into its slot it counts as running.
struct Start {
    Oid database;
    std::uint32_t starts; ///< of the slot before
    BackgroundWorkerHandle *handle;
};

class Launcher final {
public:
    /// One look at everything; how long to sleep at most.
    long turn();

private:
    void scan();
    void settle_starts();
    long choose(std::vector<Oid> &chosen);
    void start(Oid database);
    [[nodiscard]] bool starting(Oid database) const;

    std::vector<Start> starts_;
    TimestampTz scanned_at_ = 0;
    TimestampTz crowded_until_ = 0;
    bool told_crowded_ = false;
    bool told_many_ = false;
};

long milliseconds(TimestampTz from, TimestampTz to) { return TimestampDifferenceMilliseconds(from, to); }

bool Launcher::starting(Oid database) const
{
    return std::any_of(starts_.begin(), starts_.end(), [=](const Start &it) { return it.database == database; });
}

/// Slots for the databases that have come, none for those that have gone.
void Launcher::scan()
{
    const Databases found = connectable();
    const auto *const end = found.oids.begin() + found.count;
    bool full = found.more;
    {
        const Locked lock{LW_EXCLUSIVE};
        for (auto &slot : shared()->databases) {
            if (slot.database != InvalidOid && slot.worker == 0 && std::find(found.oids.begin(), end, slot.database) == end)
                free_slot(slot);
        }
        for (const auto *database = found.oids.begin(); database != end; ++database)
            full = make_slot(*database) == nullptr || full;
    }
    if (full && !told_many_)
        pg::report(WARNING, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                   "autosync serves " + std::to_string(max_databases) + " databases of this cluster only", "There are more that allow connections.",
                   "Changes in the others are kept in their outbox.");
    told_many_ = full;
    scanned_at_ = GetCurrentTimestamp();
}

/// Forgets starts that have come to something, and notes those that have not.
void Launcher::settle_starts()
{
    const TimestampTz now = GetCurrentTimestamp();
    const auto settled = [now](const Start &it) {
        pid_t pid = 0;
        const bool stopped = GetBackgroundWorkerPid(it.handle, &pid) == BGWH_STOPPED;
        const Locked lock{LW_EXCLUSIVE};
        auto *const slot = slot_of(it.database);
        if (slot != nullptr && slot->starts == it.starts && !stopped)
            return false;
        if (slot != nullptr && slot->starts == it.starts) // the process could not even be made
            slot->next_start = TimestampTzPlusMilliseconds(now, crowded_ms);
        return true;
    };
    for (auto it = starts_.begin(); it != starts_.end();) {
        if (settled(*it)) {
            pfree(it->handle);
            it = starts_.erase(it);
        } else {
            ++it;
        }
    }
}

/// Whose worker is to be started now. Says to the workers how many databases wait for one of them to give way.
long Launcher::choose(std::vector<Oid> &chosen)
{
    struct Candidate {
        bool pressing;
        TimestampTz ended_at;
        Oid database;
    };
    const TimestampTz now = GetCurrentTimestamp();
    long patience = rescan_ms;
    std::vector<Candidate> candidates;
    candidates.reserve(max_databases);
    const Locked lock{LW_EXCLUSIVE};
    int leaving = 0;
    auto room = config::settings.max_workers - static_cast<int>(starts_.size());
    for (auto &slot : shared()->databases) {
        if (slot.database == InvalidOid || starting(slot.database))
            continue;
        if (slot.worker != 0) {
            --room;
            leaving += slot.latch == nullptr ? 1 : 0;
            continue;
        }
        if (slot.evicted_by != 0 && BackendPidGetProc(slot.evicted_by) == nullptr)
            slot.evicted_by = 0;
        const bool wanted = slot.wanted || pg_atomic_read_u32(&slot.awake) != 0;
        if (slot.evicted_by != 0 || (slot.exhausted && !wanted && !slot.has_extension))
            continue;
        if (slot.next_start > now) {
            patience = std::min(patience, milliseconds(now, slot.next_start));
            continue;
        }
        const TimestampTz revisit = TimestampTzPlusMilliseconds(slot.ended_at, revisit_ms);
        const bool pressing = wanted || !slot.exhausted || revisit <= now;
        if (!pressing)
            patience = std::min(patience, milliseconds(now, revisit));
        candidates.push_back({pressing, slot.ended_at, slot.database});
    }
    if (crowded_until_ > now) {
        room = 0;
        patience = std::min(patience, milliseconds(now, crowded_until_));
    }
    std::sort(candidates.begin(), candidates.end(), [](const Candidate &one, const Candidate &other) {
        return one.pressing != other.pressing ? one.pressing : one.ended_at < other.ended_at;
    });
    int waiting = 0;
    for (const auto &candidate : candidates) {
        if (room-- > 0)
            chosen.push_back(candidate.database);
        else if (candidate.pressing)
            ++waiting;
    }
    shared()->waiting = std::max(waiting - leaving, 0);
    if (shared()->waiting > 0) {
        for (const auto &slot : shared()->databases) {
            if (slot.database != InvalidOid && slot.latch != nullptr)
                SetLatch(slot.latch);
        }
    }
    return patience;
}

void Launcher::start(Oid database)
{
    std::uint32_t starts = 0;
    {
        const Locked lock{LW_SHARED};
        const auto *const slot = slot_of(database);
        if (slot == nullptr)
            return;
        starts = slot->starts;
    }
    BackgroundWorkerHandle *const handle = pg::call([database]() -> BackgroundWorkerHandle * {
        BackgroundWorker worker = background_worker("autosync worker", "autosync_worker_main", BGW_NEVER_RESTART);
        worker.bgw_notify_pid = MyProcPid;
        worker.bgw_main_arg = ObjectIdGetDatum(database);
        BackgroundWorkerHandle *made = nullptr;
        MemoryContextSwitchTo(TopMemoryContext);
        return RegisterDynamicBackgroundWorker(&worker, &made) ? made : nullptr;
    });
    if (handle != nullptr) {
        starts_.push_back({database, starts, handle});
        told_crowded_ = false;
        return;
    }
    crowded_until_ = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), crowded_ms);
    if (!told_crowded_)
        pg::report(WARNING, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, "autosync cannot start a worker: all background worker slots are in use", {},
                   "Raise max_worker_processes, or lower autosync.max_workers.");
    told_crowded_ = true;
}

long Launcher::turn()
{
    settle_starts();
    const TimestampTz now = GetCurrentTimestamp();
    const bool asked = pg_atomic_read_u32(&shared()->rescan) != 0;
    const long since = scanned_at_ == 0 ? rescan_ms : milliseconds(scanned_at_, now);
    if (since >= rescan_ms || (asked && since >= rescan_pause_ms)) {
        pg_atomic_exchange_u32(&shared()->rescan, 0);
        scan();
    }
    std::vector<Oid> chosen;
    long patience = choose(chosen);
    // A database that has just been dropped must not get a worker: its start would fail, with a line in the log.
    if (!chosen.empty() && scanned_at_ < now) {
        scan();
        chosen.clear();
        patience = choose(chosen);
    }
    for (const Oid database : chosen)
        start(database);
    if (asked && since < rescan_pause_ms)
        patience = std::min(patience, rescan_pause_ms - since);
    return crowded_until_ > now ? std::min<long>(patience, crowded_ms) : patience;
}

void leave(int /* code */, Datum /* argument */)
{
    const Locked lock{LW_EXCLUSIVE};
    if (shared()->launcher == MyLatch)
        shared()->launcher = nullptr;
}

void launch()
{
    accept_signals();
    pg::call([] {
        before_shmem_exit(leave, 0);
        BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
    });
    {
        const Locked lock{LW_EXCLUSIVE};
        shared()->launcher = MyLatch;
    }
    Launcher launcher;
    while (!terminated()) {
        serve_interrupts();
        const long patience = launcher.turn();
        pg::call([patience] { (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, patience, PG_WAIT_EXTENSION); });
    }
}

} // namespace

void register_launcher()
{
    if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
        return;
    pg::call([] {
        BackgroundWorker launcher = background_worker("autosync launcher", "autosync_launcher_main", 1);
        RegisterBackgroundWorker(&launcher);
    });
}

} // namespace autosync::worker

void autosync_launcher_main(Datum /* argument */)
{
    using namespace autosync;
    pg::guard([] {
        try {
            worker::launch();
        } catch (const std::exception &reason) {
            worker::give_up("autosync launcher", reason);
        }
    });
    proc_exit(1); // so that the server starts it again
}
