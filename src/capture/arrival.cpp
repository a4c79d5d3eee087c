#include "capture/arrival.hpp"

#include <algorithm>
#include <vector>

#include "pg/bridge.hpp"
#include "worker/waiters.hpp"

namespace autosync::capture {

namespace {

using worker::Arrival;
using worker::Awaited;

std::vector<Awaited> *awaited = nullptr; // per target, of the current transaction; never destroyed
bool waiting = false;                    // the transaction has committed

constexpr const char *kept = "The transaction has committed, and its changes are delivered later by themselves.";

void warn(int sqlstate, const char *message, const char *detail = kept, const char *hint = "")
{
    pg::report(WARNING, sqlstate, message, detail, hint);
}

/// Why the wait ends before the changes have arrived; false: it goes on. As with a wait for a synchronous standby, interrupts are held:
/// whoever cancels ends the wait, not the transaction.
bool given_up(TimestampTz end)
{
    if (ProcDiePending) {
        warn(ERRCODE_ADMIN_SHUTDOWN, "canceling the wait for delivery and terminating connection due to administrator command");
        return true;
    }
    if (QueryCancelPending) {
        QueryCancelPending = false;
        warn(ERRCODE_QUERY_CANCELED, "canceling wait for delivery due to user request");
        return true;
    }
    if (end != 0 && GetCurrentTimestamp() >= end) {
        warn(ERRCODE_QUERY_CANCELED, "canceling wait for delivery due to statement timeout");
        return true;
    }
    if (ProcSignalBarrierPending) // DROP DATABASE, of any database, waits for all backends
        ProcessProcSignalBarrier();
    return false;
}

/// False: nothing else is to be waited for either.
bool wait_for(const Awaited &target, TimestampTz end)
{
    constexpr long longest = 1'000; // milliseconds; the worker sets the latch
    if (!worker::begin_to_wait(target)) {
        warn(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "cannot wait for delivery: autosync is not in shared_preload_libraries");
        return false;
    }
    auto arrival = Arrival::waiting;
    for (;;) {
        ResetLatch(MyLatch);
        arrival = worker::arrival();
        if (arrival != Arrival::waiting || given_up(end))
            break;
        const long left = end == 0 ? longest : std::clamp<long>(static_cast<long>((end - GetCurrentTimestamp()) / 1'000) + 1, 1, longest);
        const int events = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_POSTMASTER_DEATH, left, PG_WAIT_EXTENSION);
        if ((events & WL_POSTMASTER_DEATH) != 0) {
            ProcDiePending = true; // leaving at once would abort what has committed
            InterruptPending = true;
            break;
        }
    }
    worker::stop_waiting();
    if (arrival == Arrival::refused)
        pg::report(WARNING, ERRCODE_FDW_ERROR, "target \"" + std::string{target.target} + "\" refused a change of this transaction",
                   "The transaction has committed; the change is kept as a dead letter.", "See autosync.failed_events; then autosync.retry() or autosync.discard().");
    if (arrival == Arrival::unauthenticated)
        pg::report(WARNING, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, "target \"" + std::string{target.target} + "\" waits for a session before it takes a change of this transaction",
                   "The transaction has committed; the change is kept.", "See autosync.pending_syncs; sign in with autosync.atp_login().");
    if (arrival == Arrival::expired)
        pg::report(WARNING, ERRCODE_FDW_ERROR, "target \"" + std::string{target.target} + "\" did not get a change of this transaction within event_ttl",
                   "The transaction has committed; the change is given up.", "See autosync.event_log; autosync.publish() delivers the row as it is.");
    return arrival != Arrival::waiting;
}

void after_locks(ResourceReleasePhase phase, bool commit, bool top_level, void *)
{
    if (!waiting || phase != RESOURCE_RELEASE_AFTER_LOCKS || !commit || !top_level)
        return;
    waiting = false;
    pg::guard([] {
        const TimestampTz end = StatementTimeout > 0 ? TimestampTzPlusMilliseconds(GetCurrentStatementStartTimestamp(), StatementTimeout) : 0;
        for (const auto &target : *awaited)
            if (!wait_for(target, end))
                break;
        awaited->clear();
    });
}

} // namespace

void await_arrival(const std::string &target, Oid table, bool truncated)
{
    if (awaited == nullptr) {
        awaited = new std::vector<Awaited>; // NOLINT: lives as long as the session
        pg::call([] { RegisterResourceReleaseCallback(after_locks, nullptr); });
    }
    auto found = std::find_if(awaited->begin(), awaited->end(), [&](const Awaited &known) { return target == known.target; });
    if (found == awaited->end()) {
        found = awaited->insert(found, Awaited{});
        strlcpy(found->target, target.c_str(), NAMEDATALEN);
    }
    found->truncated = found->truncated || truncated;
    const auto end = found->table.begin() + std::min(found->tables, worker::most_tables);
    if (found->tables > worker::most_tables || std::find(found->table.begin(), end, table) != end)
        return;
    if (found->tables < worker::most_tables)
        found->table.at(found->tables) = table;
    ++found->tables;
}

void begin_awaiting() noexcept
{
    if (awaited == nullptr || awaited->empty())
        return;
    for (auto &target : *awaited)
        target.xid = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
    waiting = true;
}

void forget_awaited() noexcept
{
    if (awaited != nullptr && !waiting)
        awaited->clear();
}

} // namespace autosync::capture
