#include "outbox/log.hpp"

#include <algorithm>
#include <array>
#include <memory>

#include "outbox/truncate.hpp"
#include "pg/spi.hpp"
#include "worker/shared.hpp"

namespace autosync::outbox {

namespace {

enum Column : AttrNumber { column_instance = 1, column_xid, column_seq, column_data };

constexpr int sought = 2; // of a log's index, which begins with xid and seq

constexpr BlockNumber rotate_blocks = 1024; // 8 MB

/// An index scan over one log in order of (xid, seq), events of this instance only. PostgreSQL's objects; freed by close(), or by the
/// transaction's abort.
struct LogScan {
    Relation table;
    Relation index;
    IndexScanDesc scan;
    TupleTableSlot *slot;
    std::int64_t instance;
    bool exhausted;

    [[nodiscard]] Position position() const
    {
        bool null = false;
        return {U64FromFullTransactionId(DatumGetFullTransactionId(slot_getattr(slot, column_xid, &null))),
                DatumGetInt32(slot_getattr(slot, column_seq, &null))};
    }
    void advance()
    {
        while (!exhausted) {
            CHECK_FOR_INTERRUPTS();
            exhausted = !index_getnext_slot(scan, ForwardScanDirection, slot);
            bool null = false;
            if (!exhausted && DatumGetInt64(slot_getattr(slot, column_instance, &null)) == instance)
                return;
        }
    }
};

LogScan open_log(Oid log, Snapshot snapshot)
{
    LogScan opened{};
    opened.table = table_open(log, AccessShareLock);
    List *const indexes = RelationGetIndexList(opened.table);
    opened.index = index_open(linitial_oid(indexes), AccessShareLock);
    opened.scan = index_beginscan(opened.table, opened.index, snapshot, nullptr, sought, 0);
    opened.slot = table_slot_create(opened.table, nullptr);
    list_free(indexes);
    return opened;
}

void close_log(LogScan &opened)
{
    index_endscan(opened.scan);
    ExecDropSingleTupleTableSlot(opened.slot);
    index_close(opened.index, AccessShareLock);
    table_close(opened.table, AccessShareLock);
}

/// Where a scan goes: through the chunks of one transaction from `seq` on, or through all transactions from one on.
struct Stretch {
    std::uint64_t xid = 0;
    bool one = true;
    std::int32_t seq = 0;
};

void seek(LogScan &opened, std::int64_t instance, const Stretch &stretch)
{
    ScanKeyData keys[sought];
    ScanKeyInit(&keys[0], 1, stretch.one ? BTEqualStrategyNumber : BTGreaterEqualStrategyNumber, stretch.one ? F_XID8EQ : F_XID8GE,
                FullTransactionIdGetDatum(FullTransactionIdFromU64(stretch.xid)));
    ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_INT4GE, Int32GetDatum(stretch.seq));
    index_rescan(opened.scan, keys, sought, nullptr, 0);
    opened.instance = instance;
    opened.exhausted = false;
    opened.advance();
}

/// The open logs of one scan, read as one in order of position.
class Reader final {
public:
    explicit Reader(const LogTables &logs)
    {
        Snapshot const snapshot = GetActiveSnapshot();
        for (std::size_t i = 0; i < log_count; ++i) {
            LogScan *const into = &scans_[i];
            const Oid log = logs.tables[i];
            pg::call([=] { *into = open_log(log, snapshot); });
        }
    }
    /// Not a destructor: after an error the abort of the transaction closes everything.
    void close()
    {
        for (auto &each : scans_) {
            LogScan *const opened = &each;
            pg::call([opened] { close_log(*opened); });
        }
    }
    void seek_all(std::int64_t instance, const Stretch &stretch)
    {
        for (auto &each : scans_) {
            LogScan *const opened = &each;
            pg::call([opened, instance, stretch] { seek(*opened, instance, stretch); });
        }
    }
    struct Found {
        Position position;
        std::string_view bytes; ///< until the next call
    };
    [[nodiscard]] std::optional<Found> current()
    {
        LogScan *first = nullptr;
        Position at;
        for (auto &each : scans_) {
            if (each.exhausted)
                continue;
            LogScan *const opened = &each;
            const Position here = pg::call([opened] { return opened->position(); });
            if (first == nullptr || here < at) {
                first = opened;
                at = here;
            }
        }
        if (first == nullptr)
            return std::nullopt;
        newest_ = first;
        const auto *const bytes = pg::call([first] {
            bool null = false;
            return DatumGetByteaPP(slot_getattr(first->slot, column_data, &null));
        });
        return Found{at, {VARDATA_ANY(bytes), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(bytes))}};
    }
    void advance()
    {
        LogScan *const opened = newest_;
        pg::call([opened] { opened->advance(); });
    }

private:
    std::array<LogScan, log_count> scans_{};
    LogScan *newest_ = nullptr;
};

bool seen_by_all(const std::vector<Cursor> &cursors, std::uint64_t xid)
{
    return std::all_of(cursors.begin(), cursors.end(), [xid](const Cursor &cursor) { return cursor.passed.sees(xid); });
}

/// A look without locks at what is usually passed last: the newest transaction.
bool newest_passed(int log, std::int64_t instance, const std::vector<Cursor> &cursors)
{
    const auto newest = pg::execute_one("SELECT xid FROM autosync.log_" + std::to_string(log) + " WHERE instance = $1::int8 ORDER BY xid DESC LIMIT 1",
                                        {std::to_string(instance)});
    return !newest || seen_by_all(cursors, std::stoull(*newest));
}

/// Is everything in this log passed by all cursors? Asked under the lock that keeps writers out.
bool all_passed(int log, std::int64_t instance, const std::vector<Cursor> &cursors)
{
    const auto rows =
        pg::execute("SELECT DISTINCT xid FROM autosync.log_" + std::to_string(log) + " WHERE instance = $1::int8", {std::to_string(instance)}, true);
    return std::all_of(rows.begin(), rows.end(), [&](const auto &row) { return seen_by_all(cursors, std::stoull(row[0].value_or("0"))); });
}

BlockNumber blocks(Oid log)
{
    return pg::call([log] {
        Relation const relation = table_open(log, AccessShareLock);
        const BlockNumber count = RelationGetNumberOfBlocks(relation);
        table_close(relation, AccessShareLock);
        return count;
    });
}

} // namespace

Horizon current_horizon()
{
    return Horizon::parse(pg::execute_one("SELECT pg_current_snapshot()", {}, true).value_or("1:1:"));
}

bool scan(std::int64_t instance, const Horizon &passed, const Horizon &upto, std::optional<Position> after,
          const std::function<bool(Position, std::string_view)> &visit)
{
    const auto logs = log_tables();
    if (!logs)
        return true;
    Reader reader{*logs};
    bool stopped = false;
    // A large transaction is read in many pieces: each begins right behind the one before.
    const auto through = [&](std::uint64_t xid) { return Stretch{xid, true, after && after->xid == xid ? after->seq + 1 : 0}; };
    const auto read = [&](const Stretch &stretch) {
        reader.seek_all(instance, stretch);
        for (; !stopped; reader.advance()) {
            const auto found = reader.current();
            if (!found || found->position.xid >= upto.xmax)
                return;
            if (!upto.sees(found->position.xid) || passed.sees(found->position.xid))
                continue;
            stopped = !visit(found->position, found->bytes);
        }
    };
    // Transactions that were in progress when `passed` was taken, one by one; then everything that began later.
    for (const std::uint64_t xid : passed.in_progress) {
        if (stopped || (after && xid < after->xid) || !upto.sees(xid))
            continue;
        read(through(xid));
    }
    std::uint64_t rest = passed.xmax;
    if (!stopped && after && after->xid >= rest) {
        read(through(after->xid));
        rest = after->xid + 1;
    }
    if (!stopped)
        read({rest, false, 0});
    reader.close();
    return !stopped;
}

bool scan_pending(std::int64_t instance, const Cursor &cursor, const Horizon &upto, std::optional<Position> after,
                  const std::function<bool(Position, std::string_view)> &visit)
{
    const auto beyond_stretch = [&](Position at, std::string_view bytes) {
        // Inside the stretch under way everything up to the position is done.
        if (cursor.upto && cursor.position && cursor.upto->sees(at.xid) && at <= *cursor.position)
            return true;
        return visit(at, bytes);
    };
    return scan(instance, cursor.passed, upto, after, beyond_stretch);
}

void rotate(std::int64_t instance, const std::vector<Cursor> &cursors, const std::function<bool()> &complete)
{
    std::array<BlockNumber, log_count> size{};
    bool installed = false;
    pg::transaction([&] {
        const auto logs = log_tables();
        installed = logs.has_value();
        for (std::size_t i = 0; installed && i < log_count; ++i)
            size[i] = blocks(logs->tables[i]);
    });
    if (!installed)
        return;
    const int current = static_cast<int>(worker::write_log(MyDatabaseId) % log_count);
    int vacant = -1;
    for (int i = 0; i < log_count; ++i) {
        if (i == current)
            continue;
        bool empty = size[static_cast<std::size_t>(i)] == 0;
        if (!empty) {
            pg::transaction([&] {
                const auto passed = [&] {
                    const pg::ActiveSnapshot snapshot;
                    return complete() && all_passed(i, instance, cursors);
                };
                const pg::ActiveSnapshot snapshot;
                empty = newest_passed(i, instance, cursors) && truncate_in_place("autosync.log_" + std::to_string(i), passed);
            });
        }
        vacant = empty && vacant < 0 ? i : vacant;
    }
    if (size[static_cast<std::size_t>(current)] > rotate_blocks && vacant >= 0)
        worker::set_write_log(MyDatabaseId, static_cast<std::uint32_t>(vacant));
}

} // namespace autosync::outbox
