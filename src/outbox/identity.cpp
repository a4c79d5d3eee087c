#include "outbox/identity.hpp"

#include "config/settings.hpp"
#include "pg/bridge.hpp"
#include "pg/watch.hpp"

namespace autosync::outbox {

namespace {

enum Column : AttrNumber { column_id = 1, column_system, column_database, column_name };

std::optional<Identity> known;
pg::RelationWatch watch;

Oid find_table()
{
    return pg::call([] {
        const Oid schema = get_namespace_oid("autosync", true);
        return OidIsValid(schema) ? get_relname_relid("instance", schema) : InvalidOid;
    });
}

} // namespace

std::optional<Identity> identity()
{
    if (watch.holds())
        return known;
    const Oid table = find_table();
    known.reset();
    if (OidIsValid(table)) {
        struct Found {
            bool any;
            Identity identity;
        };
        const Found found = pg::call([table] {
            Found result{};
            Relation const relation = table_open(table, AccessShareLock);
            SysScanDesc const scan = systable_beginscan(relation, InvalidOid, false, nullptr, 0, nullptr);
            if (HeapTuple const tuple = systable_getnext(scan); HeapTupleIsValid(tuple)) {
                bool null = false;
                const TupleDesc shape = RelationGetDescr(relation);
                result.any = true;
                result.identity.id = DatumGetInt64(heap_getattr(tuple, column_id, shape, &null));
                const auto system = static_cast<uint64>(DatumGetInt64(heap_getattr(tuple, column_system, shape, &null)));
                const Oid database = DatumGetObjectId(heap_getattr(tuple, column_database, shape, &null));
                char *const name = TextDatumGetCString(heap_getattr(tuple, column_name, shape, &null));
                result.identity.adopted = system == GetSystemIdentifier() && database == MyDatabaseId && strcmp(name, config::settings.instance_id) == 0;
                pfree(name);
            }
            systable_endscan(scan);
            table_close(relation, AccessShareLock);
            return result;
        });
        if (found.any)
            known = found.identity;
    }
    if (OidIsValid(table)) // nothing tells of a table that is made later
        watch.remember({table});
    return known;
}

std::optional<std::int64_t> instance_id()
{
    const auto now = identity();
    return now ? std::optional{now->id} : std::nullopt;
}

void forget_identity() noexcept { watch.forget(); }

void identity_changed()
{
    const Oid relation = find_table();
    if (OidIsValid(relation))
        pg::call([relation] { CacheInvalidateRelcacheByRelid(relation); });
    pg::call([] { CommandCounterIncrement(); });
}

} // namespace autosync::outbox
