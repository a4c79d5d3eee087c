#include "outbox/append.hpp"

#include <array>
#include <cstdint>
#include <optional>

#include "outbox/identity.hpp"
#include "outbox/logs.hpp"
#include "pg/bridge.hpp"
#include "pg/toast.hpp"
#include "worker/shared.hpp"

namespace autosync::outbox {

namespace {

constexpr int columns = 4; // of a log: instance, xid, seq, data

int chosen = -1;     // the log this transaction appends to; it holds its lock until the end
std::int32_t next_seq = 0;

/// Locks a log for writing: the current one, else whichever is free at once, else the current one with waiting (all three are
/// being truncated at this moment: the one place where capture may wait).
int choose_log(const LogTables &logs)
{
    const int first = static_cast<int>(worker::write_log(MyDatabaseId) % log_count);
    for (int i = 0; i < log_count; ++i) {
        const int at = (first + i) % log_count;
        if (ConditionalLockRelationOid(logs.tables[static_cast<std::size_t>(at)], RowExclusiveLock))
            return at;
    }
    LockRelationOid(logs.tables[static_cast<std::size_t>(first)], RowExclusiveLock);
    return first;
}

/// The log's row (instance, xid, seq, data) as it lies in a page: heap_form_tuple() would take twice the time of all the rest that is ours.
HeapTuple form(std::int64_t instance, std::uint64_t xid, std::int32_t seq, const char *data, std::size_t size)
{
    constexpr Size header = MAXALIGN(SizeofHeapTupleHeader);
    constexpr Size before_data = 2 * sizeof(int64) + sizeof(int32);
    const bool brief = size + VARHDRSZ_SHORT <= VARATT_SHORT_MAX;
    const Size length = header + before_data + (brief ? VARHDRSZ_SHORT : VARHDRSZ) + size;
    auto *const tuple = static_cast<HeapTuple>(palloc(HEAPTUPLESIZE + length));
    tuple->t_len = static_cast<uint32>(length);
    ItemPointerSetInvalid(&tuple->t_self);
    tuple->t_tableOid = InvalidOid;
    tuple->t_data = reinterpret_cast<HeapTupleHeader>(reinterpret_cast<char *>(tuple) + HEAPTUPLESIZE);
    memset(static_cast<void *>(tuple->t_data), 0, header);
    HeapTupleHeaderSetNatts(tuple->t_data, columns);
    tuple->t_data->t_infomask = HEAP_HASVARWIDTH;
    tuple->t_data->t_hoff = static_cast<uint8>(header);
    char *at = reinterpret_cast<char *>(tuple->t_data) + header;
    memcpy(at, &instance, sizeof(instance));
    memcpy(at + sizeof(int64), &xid, sizeof(xid));
    memcpy(at + 2 * sizeof(int64), &seq, sizeof(seq));
    at += before_data;
    if (brief)
        SET_VARSIZE_SHORT(at, size + VARHDRSZ_SHORT);
    else
        SET_VARSIZE(at, size + VARHDRSZ);
    memcpy(at + (brief ? VARHDRSZ_SHORT : VARHDRSZ), data, size);
    return tuple;
}

/// PostgreSQL has a snapshot active where rows go out of line; at the end of a transaction there is none any more. A build with assertions asks for it
/// with every row of a table that can have such rows.
bool lacks_snapshot(Size length)
{
#ifdef USE_ASSERT_CHECKING
    constexpr Size in_line = 0;
#else
    constexpr Size in_line = TOAST_TUPLE_THRESHOLD;
#endif
    return length > in_line && !ActiveSnapshotSet();
}

/// Is this the last page of the entries? One just made may not be a page yet.
bool is_end(Relation index, BlockNumber block)
{
    const Buffer buffer = ReadBuffer(index, block);
    bool end = false;
    if (ConditionalLockBuffer(buffer)) {
        Page const page = BufferGetPage(buffer);
        end = !PageIsNew(page) && P_ISLEAF(BTPageGetOpaque(page)) && P_RIGHTMOST(BTPageGetOpaque(page)) && !P_IGNORE(BTPageGetOpaque(page));
        LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    }
    ReleaseBuffer(buffer);
    return end;
}

/// Transactions come about in order, so their entries belong at the index's end. A btree of three levels remembers which page that is, and
/// checks it before use; a smaller one only when told. It is the newest page, or the one before when that is the root.
void aim_at_end(Relation index)
{
    if (RelationGetTargetBlock(index) != InvalidBlockNumber || index->rd_rel->relam != BTREE_AM_OID)
        return;
    const BlockNumber pages = RelationGetNumberOfBlocks(index);
    for (BlockNumber block = pages; block > BTREE_METAPAGE + 1 && block + 2 > pages;) {
        if (is_end(index, --block)) {
            RelationSetTargetBlock(index, block);
            return;
        }
    }
}

void insert(Oid log, std::int64_t instance, std::int32_t seq, const char *data, std::size_t size)
{
    Relation const relation = table_open(log, NoLock);
    const FullTransactionId xid = GetTopFullTransactionId();
    HeapTuple const tuple = form(instance, U64FromFullTransactionId(xid), seq, data, size);
    const bool snapshot = lacks_snapshot(tuple->t_len);
    if (snapshot)
        PushActiveSnapshot(GetTransactionSnapshot());
    heap_insert(relation, tuple, GetCurrentCommandId(true), TABLE_INSERT_NO_LOGICAL, nullptr);
    if (snapshot)
        PopActiveSnapshot();

    Datum values[] = {FullTransactionIdGetDatum(xid), Int32GetDatum(seq), Int64GetDatum(instance)}; // what the log's index is made of
    bool nulls[] = {false, false, false};
    IndexInfo plain{}; // BuildIndexInfo() would cost more than is in it: no expressions, no condition, and btree does not look
    plain.type = T_IndexInfo;
    const auto enter = [&](Oid oid) {
        Relation const index = index_open(oid, RowExclusiveLock);
        aim_at_end(index);
        // Unique by construction: the transaction's own id and a counter.
        (void) index_insert(index, values, nulls, &tuple->t_self, relation, UNIQUE_CHECK_NO, false, &plain);
        index_close(index, NoLock);
    };
    if (relation->rd_indexvalid && list_length(relation->rd_indexlist) == 1) {
        enter(linitial_oid(relation->rd_indexlist)); // spares the copy
    } else {
        List *const indexes = RelationGetIndexList(relation);
        ListCell *cell = nullptr;
        foreach (cell, indexes)
            enter(lfirst_oid(cell));
        list_free(indexes);
    }
    heap_freetuple(tuple);
    table_close(relation, NoLock);
}

} // namespace

void append(const std::string &bytes)
{
    const auto instance = instance_id();
    if (!instance)
        return;
    const std::optional<LogTables> logs = log_tables();
    if (!logs)
        return;
    const LogTables tables = *logs;
    const std::int64_t id = *instance;
    const char *const data = bytes.data();
    const std::size_t size = bytes.size();
    pg::call([=] {
        if (chosen < 0)
            chosen = choose_log(tables);
        insert(tables.tables[static_cast<std::size_t>(chosen)], id, next_seq, data, size);
    });
    ++next_seq;
}

void abort_subtransaction() noexcept { chosen = -1; }

void end_transaction() noexcept
{
    chosen = -1;
    next_seq = 0;
}

} // namespace autosync::outbox
