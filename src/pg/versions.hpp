// What differs between the major releases of PostgreSQL, under the names of the newer ones. Included by postgres.hpp alone.
#pragma once

#include <cstddef>

#if PG_VERSION_NUM < 160000
inline AclResult object_aclcheck([[maybe_unused]] Oid catalog, Oid object, Oid role, AclMode mode)
{
    Assert(catalog == ForeignServerRelationId);
    return pg_foreign_server_aclcheck(object, role, mode);
}

inline bool object_ownercheck(Oid catalog, Oid object, Oid role)
{
    switch (catalog) {
    case DatabaseRelationId:
        return pg_database_ownercheck(object, role);
    case ForeignServerRelationId:
        return pg_foreign_server_ownercheck(object, role);
    default:
        Assert(catalog == RelationRelationId);
        return pg_class_ownercheck(object, role);
    }
}
#endif

#if PG_VERSION_NUM < 180000
inline IndexScanDesc index_beginscan(Relation table, Relation index, Snapshot snapshot, std::nullptr_t /*instrumentation*/, int keys, int orderings)
{
    return index_beginscan(table, index, snapshot, keys, orderings);
}

inline bool ConditionalXactLockTableWait(TransactionId xid, bool /*log_failure*/) { return ConditionalXactLockTableWait(xid); }
#endif

/// A process' place among all of them.
inline int number_of(PGPROC *process)
{
#if PG_VERSION_NUM < 170000
    return process->pgprocno;
#else
    return static_cast<int>(GetNumberFromPGProc(process));
#endif
}
