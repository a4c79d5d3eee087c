#include "worker/wishes.hpp"

#include <cstring>
#include <vector>

#include "config/sync.hpp"
#include "outbox/event_id.hpp"
#include "outbox/forgotten.hpp"
#include "outbox/waiting.hpp"
#include "pg/spi.hpp"
#include "worker/ddl.hpp"
#include "worker/shared.hpp"

namespace autosync::worker {

namespace {

constexpr int most_wishes = 32;

/// Guarded by the lock on all slots.
struct Place {
    Oid database; ///< InvalidOid: free
    int pid;
    Latch *latch;
    Oid table;
    Wish::State state;
    std::uint32_t size;
    char key[longest_wish];
};

struct Wishes {
    pg_atomic_uint32 asked; ///< since the workers last looked: not to take the lock in vain
    Place places[most_wishes];
};

Wishes *wishes = nullptr;

bool is_alive(int pid) { return pg::call([pid] { return BackendPidGetProc(pid) != nullptr; }); }

/// Also that of a session that ended without another word.
int take_place(Oid table, const std::string &key)
{
    std::vector<std::pair<int, int>> taken;
    for (int attempt = 0; attempt < 2; ++attempt) {
        {
            const Locked lock{LW_EXCLUSIVE};
            for (int i = 0; i < most_wishes; ++i) {
                Place &place = wishes->places[i];
                if (place.database == InvalidOid) {
                    place = {MyDatabaseId, MyProcPid, MyLatch, table, Wish::State::asked, static_cast<std::uint32_t>(key.size()), {}};
                    memcpy(place.key, key.data(), key.size());
                    return i;
                }
                taken.emplace_back(i, place.pid);
            }
        }
        for (const auto &[i, pid] : taken) {
            if (is_alive(pid))
                continue;
            const Locked lock{LW_EXCLUSIVE};
            if (wishes->places[i].pid == pid)
                wishes->places[i].database = InvalidOid;
        }
    }
    return -1;
}

void forget(std::int64_t instance, Oid table, const std::string &key)
{
    std::uint32_t ordinal = 0;
    const auto xid = pg::call([] { return U64FromFullTransactionId(GetTopFullTransactionId()); });
    for (const auto &sync : config::load_syncs())
        if (sync.table == table)
            outbox::note_forgotten(instance, sync.target, table, sync.source.name, key, outbox::event_id(xid, outbox::hand_made, ++ordinal));
}

/// `key`: whose tables, blank, for which identity.
void retry(std::int64_t instance, const std::string &key)
{
    const auto blank = key.find(' ');
    (void) outbox::retry_waiting(instance, static_cast<Oid>(std::stoul(key.substr(0, blank))), key.substr(blank + 1));
}

struct Seen {
    int place;
    Oid table;
    std::string key;
};

std::vector<Seen> asked_here()
{
    std::vector<Seen> seen;
    seen.reserve(most_wishes);
    const Locked lock{LW_SHARED};
    for (int i = 0; i < most_wishes; ++i)
        if (const Place &place = wishes->places[i]; place.database == MyDatabaseId && place.state == Wish::State::asked)
            seen.push_back({i, place.table, {place.key, place.size}});
    return seen;
}

void answer(const Seen &seen, Wish::State state)
{
    const Locked lock{LW_EXCLUSIVE};
    Place &place = wishes->places[seen.place];
    if (place.database != MyDatabaseId || place.table != seen.table || seen.key != std::string_view{place.key, place.size})
        return; // it is wished no more
    place.state = state;
    SetLatch(place.latch);
}

} // namespace

void request_wishes() { RequestAddinShmemSpace(sizeof(Wishes)); }

void make_wishes()
{
    bool found = false;
    wishes = static_cast<Wishes *>(ShmemInitStruct("autosync wishes", sizeof(Wishes), &found));
    if (found)
        return;
    memset(static_cast<void *>(wishes), 0, sizeof(Wishes));
    pg_atomic_init_u32(&wishes->asked, 0);
}

Wish::Wish(Oid table, const std::string &key)
{
    if (wishes == nullptr)
        throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "this cannot be asked of a worker: none runs", "autosync is not in shared_preload_libraries.",
                          "Add it and restart the server."};
    if (key.size() > longest_wish)
        throw pg::Failure{ERRCODE_PROGRAM_LIMIT_EXCEEDED, "the key is longer than " + std::to_string(longest_wish) + " bytes"};
    place_ = take_place(table, key);
    if (place_ < 0)
        throw pg::Failure{ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, "too many sessions ask this of the worker at this moment", {}, "Try again."};
    pg_atomic_fetch_add_u32(&wishes->asked, 1);
    wake(MyDatabaseId);
}

Wish::~Wish()
{
    if (place_ < 0)
        return;
    const Locked lock{LW_EXCLUSIVE};
    wishes->places[place_].database = InvalidOid;
}

Wish::State Wish::state() const noexcept
{
    const Locked lock{LW_SHARED};
    return wishes->places[place_].state;
}

bool grant_wishes(std::int64_t instance)
{
    static std::uint32_t looked_at = 0;
    if (wishes == nullptr)
        return false;
    const std::uint32_t now = pg_atomic_read_u32(&wishes->asked);
    if (now == looked_at)
        return false;
    looked_at = now;
    bool granted = false;
    for (const auto &seen : asked_here()) {
        try {
            pg::transaction([&] {
                const pg::ActiveSnapshot snapshot;
                if (seen.table == InvalidOid)
                    retry(instance, seen.key);
                else
                    forget(instance, seen.table, seen.key);
            });
            answer(seen, Wish::State::granted);
            granted = true;
        } catch (const pg::Error &error) {
            if (passes(error)) { // whoever asks waits for as long as they like
                pg_atomic_fetch_add_u32(&wishes->asked, 1);
                wake(MyDatabaseId);
                continue;
            }
            pg::report(LOG, error.sqlstate(), seen.table == InvalidOid ? "what waits for a session could not be tried again" : "an entity could not be marked as forgotten", error.what());
            answer(seen, Wish::State::denied);
        }
    }
    return granted;
}

} // namespace autosync::worker
