#include "worker/waiters.hpp"

#include <algorithm>
#include <cstdio>
#include <span>
#include <vector>

#include "outbox/sequence.hpp"
#include "pg/spi.hpp"
#include "worker/shared.hpp"

namespace autosync::worker {

namespace {

/// One per backend. Guarded by the lock on all slots.
struct Waiter {
    Oid database; ///< InvalidOid: nobody waits here
    Arrival arrival;
    Latch *latch;
    Awaited awaited;
};

struct Line {
    pg_atomic_uint32 waiting; ///< how many
};

Line *line = nullptr;
Waiter *waiters = nullptr;

Size size_of_line() { return sizeof(Waiter) * static_cast<Size>(MaxBackends); }

Waiter *mine() noexcept
{
    return line == nullptr || MyProc == nullptr || number_of(MyProc) >= MaxBackends ? nullptr : &waiters[number_of(MyProc)];
}

/// A waiter as it was seen, and where.
struct Seen {
    int place;
    Awaited awaited;
};

std::vector<Seen> waiters_here()
{
    std::vector<Seen> found;
    const auto most = pg_atomic_read_u32(&line->waiting);
    if (most == 0)
        return found;
    found.reserve(most + 16); // no allocation under the lock, as a rule
    const Locked lock{LW_SHARED};
    for (int i = 0; i < MaxBackends; ++i)
        if (const Waiter &waiter = waiters[i]; waiter.database == MyDatabaseId && waiter.arrival == Arrival::waiting)
            found.push_back({i, waiter.awaited});
    return found;
}

void answer(const Seen &seen, Arrival arrival) noexcept
{
    const Locked lock{LW_EXCLUSIVE};
    Waiter &waiter = waiters[seen.place];
    if (waiter.database != MyDatabaseId || waiter.awaited.xid != seen.awaited.xid || strcmp(waiter.awaited.target, seen.awaited.target) != 0)
        return; // it has given up
    waiter.arrival = arrival;
    SetLatch(waiter.latch);
}

bool names(const Awaited &awaited, Oid table)
{
    return awaited.tables > most_tables || std::find(awaited.table.begin(), awaited.table.begin() + awaited.tables, table) != awaited.table.begin() + awaited.tables;
}

bool passed(const outbox::Cursor &cursor, std::uint64_t xid)
{
    return cursor.passed.sees(xid) || (cursor.upto && cursor.position && cursor.upto->sees(xid) && cursor.position->xid > xid);
}

bool passed(const std::map<Oid, outbox::Cursor> &cursors, const Awaited &awaited)
{
    return std::all_of(cursors.begin(), cursors.end(), [&](const auto &entry) {
        const bool of_a_table = OidIsValid(entry.first) && entry.first != outbox::history_source;
        return (of_a_table && !names(awaited, entry.first)) || passed(entry.second, awaited.xid);
    });
}

/// What the tables say of changes that the log has no more of.
Arrival look(std::int64_t instance, const Awaited &awaited)
{
    constexpr std::size_t size = 24;
    char events[size];
    (void) std::snprintf(events, size, "%016llx-%%", static_cast<unsigned long long>(awaited.xid)); // how ids of its events begin
    const auto row = pg::execute("SELECT coalesce(bool_or(status = 'FAILED'), false), coalesce(bool_or(status NOT IN ('FAILED', 'DISCARDED', 'WAITING_AUTH', 'EXPIRED')), false)"
                                 " OR EXISTS (SELECT FROM autosync.behind WHERE instance = $1::int8 AND target = $2::name AND event_id LIKE $3),"
                                 " coalesce(bool_or(status = 'WAITING_AUTH' OR (status = 'EXPIRED' AND did IS NOT NULL)), false),"
                                 " coalesce(bool_or(status = 'EXPIRED' AND did IS NULL), false)"
                                 " FROM autosync.exceptions WHERE instance = $1::int8 AND target = $2::name AND event_id LIKE $3 AND verb IS DISTINCT FROM 'confirm'",
                                 {std::to_string(instance), awaited.target, events})
                         .at(0);
    if (row[0] == "t")
        return Arrival::refused;
    if (row[1] == "t")
        return Arrival::waiting;
    if (row[2] == "t") // until somebody signs in: that is not for a commit to wait for
        return Arrival::unauthenticated;
    if (row[3] == "t")
        return Arrival::expired;
    if (!awaited.truncated)
        return Arrival::arrived;
    for (const auto &job : pg::execute("SELECT source FROM autosync.jobs WHERE instance = $1::int8 AND target = $2::name AND kind = 'sweep'",
                                       {std::to_string(instance), awaited.target}))
        if (names(awaited, static_cast<Oid>(std::stoul(job[0].value_or("0")))))
            return Arrival::waiting;
    return Arrival::arrived;
}

} // namespace

void request_waiters() { RequestAddinShmemSpace(sizeof(Line) + size_of_line()); }

void make_waiters()
{
    bool found = false;
    waiters = static_cast<Waiter *>(ShmemInitStruct("autosync waiters", size_of_line(), &found));
    if (!found)
        memset(static_cast<void *>(waiters), 0, size_of_line());
    line = static_cast<Line *>(ShmemInitStruct("autosync waiting", sizeof(Line), &found));
    if (!found)
        pg_atomic_init_u32(&line->waiting, 0);
}

bool begin_to_wait(const Awaited &awaited) noexcept
{
    Waiter *const waiter = mine();
    if (waiter == nullptr)
        return false;
    {
        const Locked lock{LW_EXCLUSIVE};
        waiter->awaited = awaited;
        waiter->arrival = Arrival::waiting;
        waiter->latch = MyLatch;
        waiter->database = MyDatabaseId;
    }
    pg_atomic_fetch_add_u32(&line->waiting, 1);
    wake(MyDatabaseId); // the changes may have been delivered before anybody knew that they are waited for
    return true;
}

Arrival arrival() noexcept
{
    const Locked lock{LW_SHARED};
    return mine()->arrival;
}

void stop_waiting() noexcept
{
    {
        const Locked lock{LW_EXCLUSIVE};
        mine()->database = InvalidOid;
    }
    pg_atomic_fetch_sub_u32(&line->waiting, 1);
}

void answer_waiters(std::int64_t instance, const std::function<const std::map<Oid, outbox::Cursor> *(const std::string &)> &cursors)
{
    if (line == nullptr)
        return;
    std::vector<Seen> candidates;
    for (const auto &seen : waiters_here()) {
        const auto *const own = cursors(seen.awaited.target);
        if (own == nullptr)
            answer(seen, Arrival::arrived); // the target was dropped: there is nowhere to arrive
        else if (passed(*own, seen.awaited))
            candidates.push_back(seen);
    }
    if (candidates.empty())
        return;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        for (const auto &seen : candidates)
            if (const auto found = look(instance, seen.awaited); found != Arrival::waiting)
                answer(seen, found);
    });
}

} // namespace autosync::worker
