#include "worker/news.hpp"

#include <algorithm>

#include "pg/bridge.hpp"

namespace autosync::worker {

namespace {

/// One per backend, written by it alone: its last transaction that declared something, and where.
struct Place {
    pg_atomic_uint64 announced; ///< the database, and the transaction in the lower half
};

struct Board {
    pg_atomic_uint32 count; ///< announcements so far, in all databases
};

Board *board = nullptr;
Place *places = nullptr;

constexpr int half = 32;

Size size_of_places() { return sizeof(Place) * static_cast<Size>(MaxBackends); }

std::vector<TransactionId> announced_here()
{
    std::vector<TransactionId> found;
    for (int i = 0; i < MaxBackends; ++i)
        if (const std::uint64_t it = pg_atomic_read_u64(&places[i].announced); static_cast<Oid>(it >> half) == MyDatabaseId)
            found.push_back(static_cast<TransactionId>(it));
    return found;
}

bool in_progress(TransactionId xid)
{
    return pg::call([xid] { return TransactionIdIsInProgress(xid); });
}

} // namespace

void request_news()
{
    RequestAddinShmemSpace(sizeof(Board));
    RequestAddinShmemSpace(size_of_places());
}

void make_news()
{
    bool found = false;
    board = static_cast<Board *>(ShmemInitStruct("autosync news", sizeof(Board), &found));
    places = static_cast<Place *>(ShmemInitStruct("autosync announcements", size_of_places(), &found));
    if (found)
        return;
    pg_atomic_init_u32(&board->count, 0);
    for (int i = 0; i < MaxBackends; ++i)
        pg_atomic_init_u64(&places[i].announced, 0);
}

void announce() noexcept
{
    const TransactionId xid = GetTopTransactionIdIfAny();
    if (board == nullptr || MyProc == nullptr || number_of(MyProc) >= MaxBackends || !TransactionIdIsValid(xid))
        return;
    pg_atomic_write_u64(&places[number_of(MyProc)].announced, static_cast<std::uint64_t>(MyDatabaseId) << half | xid);
    pg_atomic_fetch_add_u32(&board->count, 1); // a barrier: whoever sees the new count sees the place
}

bool heard_of(TransactionId xid)
{
    return pg::call([xid] {
        if (TransactionIdIsNormal(xid) && !TransactionIdIsCurrentTransactionId(xid) && !ConditionalXactLockTableWait(xid, false))
            return false;
        AcceptInvalidationMessages();
        return true;
    });
}

bool News::arrived() const
{
    if (board == nullptr)
        return false;
    if (!ever_ || std::any_of(under_way_.begin(), under_way_.end(), [](TransactionId xid) { return !in_progress(xid); }))
        return true;
    return pg_atomic_read_u32(&board->count) != count_ && announced_here() != announced_;
}

void News::hear()
{
    if (board == nullptr)
        return;
    count_ = pg_atomic_read_u32(&board->count);
    pg_read_barrier();
    const auto announced = announced_here();
    std::vector<TransactionId> under_way;
    for (const TransactionId xid : announced) {
        const bool heard = std::ranges::find(announced_, xid) != announced_.end() && std::ranges::find(under_way_, xid) == under_way_.end();
        if (heard)
            continue;
        if (in_progress(xid) || !heard_of(xid))
            under_way.push_back(xid);
    }
    announced_ = announced;
    under_way_ = under_way;
    ever_ = true;
}

} // namespace autosync::worker
