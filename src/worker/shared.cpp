#include <algorithm>
#include <cstring>

#include "worker/slots.hpp"
#include "worker/handover.hpp"
#include "worker/news.hpp"
#include "worker/waiters.hpp"
#include "worker/wishes.hpp"

#include "pg/bridge.hpp"

namespace autosync::worker {

namespace {

constexpr const char *tranche = "autosync";

Shared *memory = nullptr;
shmem_request_hook_type next_request = nullptr;
shmem_startup_hook_type next_startup = nullptr;

void request()
{
    if (next_request != nullptr)
        next_request();
    pg::guard([] {
        pg::call([] {
            RequestAddinShmemSpace(sizeof(Shared));
            request_waiters();
            request_handovers();
            request_wishes();
            request_news();
            RequestNamedLWLockTranche(tranche, 1);
        });
    });
}

/// Lays out the memory; runs in the postmaster at start and after each crash of a backend.
void startup()
{
    if (next_startup != nullptr)
        next_startup();
    pg::guard([] {
        pg::call([] {
            bool found = false;
            LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
            memory = static_cast<Shared *>(ShmemInitStruct("autosync", sizeof(Shared), &found));
            if (!found) {
                memset(static_cast<void *>(memory), 0, sizeof(Shared));
                memory->lock = &GetNamedLWLockTranche(tranche)->lock;
                pg_atomic_init_u32(&memory->rescan, 0);
                for (auto &slot : memory->databases) {
                    pg_atomic_init_u32(&slot.awake, 0);
                    pg_atomic_init_u32(&slot.write_log, 0);
                }
            }
            make_waiters();
            make_handovers();
            make_wishes();
            make_news();
            LWLockRelease(AddinShmemInitLock);
        });
    });
}

/// The slot of a database as this backend remembers it: found again only when it has moved. Takes the lock for that alone.
DatabaseSlot *remembered(Oid database) noexcept
{
    static DatabaseSlot *last = nullptr;
    if (last == nullptr || last->database != database) {
        const Locked lock{LW_SHARED};
        last = slot_of(database);
    }
    return last;
}

/// A commit in a database that seems to have no worker: under the lock this is certain, because a worker comes and goes under it too.
void ask_for_worker(Oid database) noexcept
{
    Latch *worker = nullptr;
    bool asked = false;
    bool known = false;
    {
        const Locked lock{LW_SHARED};
        if (auto *const slot = slot_of(database)) {
            known = true;
            worker = slot->latch;
            asked = slot->wanted;
            if (worker == nullptr)
                slot->wanted = true; // all who hold the shared lock write the same
        }
    }
    if (worker != nullptr)
        SetLatch(worker);
    else if (!asked)
        alert_launcher(!known);
}

TargetSlot *find_target(Oid database, const char *name) noexcept
{
    const auto *const end = std::end(memory->targets);
    auto *const found = std::find_if(std::begin(memory->targets), std::end(memory->targets), [=](const TargetSlot &slot) {
        return slot.database == database && std::strncmp(slot.name, name, NAMEDATALEN) == 0;
    });
    return found == end ? nullptr : found;
}

} // namespace

void request_shared_memory()
{
    if (!process_shared_preload_libraries_in_progress)
        return;
    next_request = shmem_request_hook;
    shmem_request_hook = request;
    next_startup = shmem_startup_hook;
    shmem_startup_hook = startup;
}

bool shared_memory_available() { return memory != nullptr; }

Shared *shared() noexcept { return memory; }

Locked::Locked(LWLockMode mode) noexcept { LWLockAcquire(memory->lock, mode); }

Locked::~Locked() { LWLockRelease(memory->lock); }

DatabaseSlot *slot_of(Oid database) noexcept
{
    auto *const found =
        std::find_if(std::begin(memory->databases), std::end(memory->databases), [=](const DatabaseSlot &slot) { return slot.database == database; });
    return found == std::end(memory->databases) ? nullptr : found;
}

DatabaseSlot *make_slot(Oid database) noexcept
{
    if (auto *const known = slot_of(database))
        return known;
    auto *const slot = slot_of(InvalidOid);
    if (slot != nullptr) {
        memset(static_cast<void *>(slot), 0, sizeof(*slot));
        slot->database = database;
    }
    return slot;
}

void free_slot(DatabaseSlot &slot) noexcept
{
    for (auto &target : memory->targets) {
        if (target.database == slot.database)
            target.database = InvalidOid;
    }
    slot.database = InvalidOid;
}

void alert_launcher(bool rescan) noexcept
{
    if (memory == nullptr)
        return;
    if (rescan)
        pg_atomic_exchange_u32(&memory->rescan, 1);
    if (Latch *const launcher = memory->launcher)
        SetLatch(launcher);
}

void wake(Oid database) noexcept
{
    if (memory == nullptr)
        return;
    auto *const slot = remembered(database);
    if (slot == nullptr) {
        ask_for_worker(database);
        return;
    }
    // The exchange is a barrier: a worker that leaves takes its latch away first and looks at the flag then, so that
    // either it sees the flag and stays, or no latch is seen here.
    const bool awake = pg_atomic_exchange_u32(&slot->awake, 1) != 0;
    Latch *const worker = slot->latch;
    if (worker == nullptr)
        ask_for_worker(database); // also when it is awake: who set that may have met a worker that left
    else if (!awake)
        SetLatch(worker);
}

std::uint64_t ask_for_review(Oid database) noexcept
{
    std::uint64_t request = 0;
    {
        const Locked lock{LW_EXCLUSIVE};
        if (auto *const slot = slot_of(database))
            request = ++slot->reviews_asked;
    }
    wake(database);
    return request;
}

bool reviewed(Oid database, std::uint64_t request) noexcept
{
    const Locked lock{LW_SHARED};
    const auto *const slot = slot_of(database);
    return slot != nullptr && slot->reviewed >= request;
}

std::uint64_t reviews_asked(Oid database) noexcept
{
    if (memory == nullptr)
        return 0;
    const Locked lock{LW_SHARED};
    const auto *const slot = slot_of(database);
    return slot == nullptr ? 0 : slot->reviews_asked;
}

void note_review(Oid database, std::uint64_t request) noexcept
{
    const Locked lock{LW_EXCLUSIVE};
    if (auto *const slot = slot_of(database))
        slot->reviewed = request;
}

std::uint32_t write_log(Oid database) noexcept
{
    if (memory == nullptr)
        return 0;
    auto *const slot = remembered(database);
    return slot == nullptr ? 0 : pg_atomic_read_u32(&slot->write_log);
}

void set_write_log(Oid database, std::uint32_t log) noexcept
{
    if (memory == nullptr)
        return;
    if (auto *const slot = remembered(database))
        pg_atomic_write_u32(&slot->write_log, log);
}

std::vector<DatabaseSlot> databases()
{
    std::vector<DatabaseSlot> copies;
    if (memory == nullptr)
        return copies;
    copies.reserve(max_databases);
    const Locked lock{LW_SHARED};
    for (const auto &slot : memory->databases) {
        if (slot.database != InvalidOid)
            copies.push_back(slot);
    }
    return copies;
}

std::vector<TargetSlot> targets_of(Oid database)
{
    std::vector<TargetSlot> copies;
    if (memory == nullptr)
        return copies;
    const Locked lock{LW_SHARED};
    for (const auto &slot : memory->targets) {
        if (slot.database == database)
            copies.push_back(slot);
    }
    return copies;
}

std::vector<TargetSlot> all_targets()
{
    std::vector<TargetSlot> copies;
    for (const auto &database : databases()) {
        const auto own = targets_of(database.database);
        copies.insert(copies.end(), own.begin(), own.end());
    }
    return copies;
}

TargetSlot *target_slot(Oid database, const char *name)
{
    if (memory == nullptr)
        return nullptr;
    const TimestampTz now = GetCurrentTimestamp();
    const Locked lock{LW_EXCLUSIVE};
    if (auto *const known = find_target(database, name))
        return known;
    auto *const slot =
        std::find_if(std::begin(memory->targets), std::end(memory->targets), [](const TargetSlot &it) { return it.database == InvalidOid; });
    if (slot == std::end(memory->targets))
        return nullptr;
    memset(static_cast<void *>(slot), 0, sizeof(*slot));
    slot->database = database;
    strlcpy(slot->name, name, sizeof(slot->name));
    slot->stats_reset = now;
    return slot;
}

void forget_targets(Oid database, const std::vector<std::string> &except)
{
    if (memory == nullptr)
        return;
    const Locked lock{LW_EXCLUSIVE};
    for (auto &slot : memory->targets) {
        if (slot.database == database && std::none_of(except.begin(), except.end(), [&](const std::string &name) { return name == slot.name; }))
            slot.database = InvalidOid;
    }
}

} // namespace autosync::worker
