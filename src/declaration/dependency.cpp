#include "declaration/dependency.hpp"

#include "pg/spi.hpp"

namespace autosync::declaration {

void record_dependency(const Dependent &dependent, Oid server)
{
    const ObjectAddress object{dependent.catalog, dependent.object, 0};
    pg::call([object, server] {
        deleteDependencyRecordsForClass(object.classId, object.objectId, ForeignServerRelationId, DEPENDENCY_NORMAL);
        if (!OidIsValid(server))
            return;
        const ObjectAddress referenced{ForeignServerRelationId, server, 0};
        recordDependencyOn(&object, &referenced, DEPENDENCY_NORMAL);
    });
}

bool restore_dependency(const Dependent &dependent, Oid server)
{
    const pg::Cell catalog = std::to_string(dependent.catalog);
    const pg::Cell object = std::to_string(dependent.object);
    const pg::Cell referenced = std::to_string(server);
    if (pg::execute_one("SELECT 1 FROM pg_depend WHERE classid = $1::oid AND objid = $2::oid AND refclassid = 'pg_foreign_server'::regclass AND refobjid = $3::oid"
                        " AND deptype = 'n'",
                        {catalog, object, referenced}))
        return true;
    const bool locked = pg::call([dependent, server] {
        const bool still = OidIsValid(dependent.table) ? ConditionalLockRelationOid(dependent.table, AccessShareLock)
                                                       : ConditionalLockDatabaseObject(dependent.catalog, dependent.object, 0, AccessShareLock);
        return still && ConditionalLockDatabaseObject(ForeignServerRelationId, server, 0, AccessShareLock);
    });
    if (!locked)
        return false;
    // A dependency of what was dropped a moment ago would be in the way of every other DROP.
    const char *const there = OidIsValid(dependent.table) ? "SELECT 1 FROM pg_trigger AS d, pg_foreign_server AS s WHERE d.oid = $1::oid AND s.oid = $2::oid"
                                                          : "SELECT 1 FROM pg_foreign_server AS d, pg_foreign_server AS s WHERE d.oid = $1::oid AND s.oid = $2::oid";
    if (pg::execute_one(there, {object, referenced}))
        record_dependency(dependent, server);
    return true;
}

} // namespace autosync::declaration
