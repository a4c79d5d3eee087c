#include "outbox/rewrites.hpp"

#include "outbox/identity.hpp"
#include "pg/bridge.hpp"

namespace autosync::outbox {

namespace {

enum Column : AttrNumber { column_source = 1, column_file, column_former, column_target };
constexpr int columns = 4;

bool copies_rows = false;
object_access_hook_type next_hook = nullptr;

/// May raise. As the tables of the log: no privileges, no triggers, nothing that a session notices.
void note(Oid source, Oid file, Oid former, const char *target)
{
    const Oid schema = get_namespace_oid("autosync", true);
    const Oid table = OidIsValid(schema) ? get_relname_relid("rewrites", schema) : InvalidOid;
    if (!OidIsValid(table))
        return;
    Relation const relation = table_open(table, RowExclusiveLock);
    Datum values[columns] = {ObjectIdGetDatum(source), ObjectIdGetDatum(file), ObjectIdGetDatum(former), Datum{0}};
    bool nulls[columns] = {false, false, !OidIsValid(former), target == nullptr};
    NameData name;
    if (target != nullptr) {
        namestrcpy(&name, target);
        values[column_target - 1] = NameGetDatum(&name);
    }
    HeapTuple const tuple = heap_form_tuple(RelationGetDescr(relation), values, nulls);
    simple_heap_insert(relation, tuple);
    heap_freetuple(tuple);
    table_close(relation, NoLock);
}

/// The file of a table that may be synced; InvalidOid: none.
Oid file_of(HeapTuple tuple)
{
    const auto *const form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
    const bool may_be = form->relkind == RELKIND_RELATION && form->relhastriggers && form->relpersistence != RELPERSISTENCE_TEMP;
    return may_be ? form->relfilenode : InvalidOid;
}

/// As the transaction knows it, without what the command that runs has done.
Oid known_file(Oid table)
{
    HeapTuple const tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
    if (!HeapTupleIsValid(tuple))
        return InvalidOid;
    const Oid file = file_of(tuple);
    ReleaseSysCache(tuple);
    return file;
}

/// As it stands by now.
Oid new_file(Oid table)
{
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(table));
    Relation const classes = table_open(RelationRelationId, AccessShareLock);
    SysScanDesc const scan = systable_beginscan(classes, ClassOidIndexId, true, SnapshotSelf, 1, &key);
    HeapTuple const tuple = systable_getnext(scan);
    const Oid file = HeapTupleIsValid(tuple) ? file_of(tuple) : InvalidOid;
    systable_endscan(scan);
    table_close(classes, AccessShareLock);
    return file;
}

void altered(ObjectAccessType access, Oid kind, Oid object, int part, void *argument)
{
    if (next_hook != nullptr)
        next_hook(access, kind, object, part, argument);
    if (!copies_rows || access != OAT_POST_ALTER || kind != RelationRelationId || part != 0)
        return;
    pg::guard([object] {
        pg::call([object] {
            const Oid before = known_file(object);
            const Oid now = OidIsValid(before) ? new_file(object) : InvalidOid;
            if (OidIsValid(now) && now != before)
                note(object, now, before, nullptr);
        });
    });
}

} // namespace

void note_emptied(Oid table, const std::string &target)
{
    if (!instance_id())
        return;
    const char *const name = target.c_str();
    pg::call([table, name] {
        // Only partitions went with it for sure: a child that inherits is spared by TRUNCATE ONLY.
        List *const tree = get_rel_relkind(table) == RELKIND_PARTITIONED_TABLE ? find_all_inheritors(table, NoLock, nullptr) : list_make1_oid(table);
        ListCell *cell = nullptr;
        foreach (cell, tree) {
            if (const Oid file = known_file(lfirst_oid(cell)); OidIsValid(file))
                note(lfirst_oid(cell), file, InvalidOid, name);
        }
        list_free(tree);
    });
}

void copying(bool rows) noexcept { copies_rows = rows; }

bool copying() noexcept { return copies_rows; }

void watch_files()
{
    next_hook = object_access_hook;
    object_access_hook = altered;
}

} // namespace autosync::outbox
