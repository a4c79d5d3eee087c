#include "outbox/append.hpp"

#include <array>
#include <cstdint>
#include <optional>

#include "outbox/identity.hpp"
#include "outbox/logs.hpp"
#include "pg/bridge.hpp"
#include "worker/shared.hpp"

namespace autosync::outbox {

namespace {

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

void insert(Oid log, std::int64_t instance, std::int32_t seq, const char *data, std::size_t size)
{
    Relation const relation = table_open(log, NoLock);
    auto *const bytes = static_cast<bytea *>(palloc(size + VARHDRSZ));
    SET_VARSIZE(bytes, size + VARHDRSZ);
    memcpy(VARDATA(bytes), data, size);
    Datum values[] = {Int64GetDatum(instance), FullTransactionIdGetDatum(GetTopFullTransactionId()), Int32GetDatum(seq), PointerGetDatum(bytes)};
    bool nulls[] = {false, false, false, false};
    HeapTuple const tuple = heap_form_tuple(RelationGetDescr(relation), values, nulls);
    heap_insert(relation, tuple, GetCurrentCommandId(true), TABLE_INSERT_NO_LOGICAL, nullptr);

    IndexInfo plain{}; // BuildIndexInfo() would cost more than is in it: no expressions, no condition, and btree does not look
    plain.type = T_IndexInfo;
    List *const indexes = RelationGetIndexList(relation);
    ListCell *cell = nullptr;
    foreach (cell, indexes) {
        Relation const index = index_open(lfirst_oid(cell), RowExclusiveLock);
        // Unique by construction: the transaction's own id and a counter.
        (void) index_insert(index, values, nulls, &tuple->t_self, relation, UNIQUE_CHECK_NO, false, &plain);
        index_close(index, NoLock);
    }
    list_free(indexes);
    heap_freetuple(tuple);
    pfree(bytes);
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
