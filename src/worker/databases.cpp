#include "worker/databases.hpp"

#include "pg/spi.hpp"

namespace autosync::worker {

namespace {

constexpr int invalid_database = -2; ///< datconnlimit of a database whose DROP was interrupted

} // namespace

Databases connectable()
{
    Databases found{};
    pg::transaction([&found] {
        auto *const into = &found;
        pg::call([into] {
            Relation const catalog = table_open(DatabaseRelationId, AccessShareLock);
            TableScanDesc const scan = table_beginscan_catalog(catalog, 0, nullptr);
            while (HeapTuple const tuple = heap_getnext(scan, ForwardScanDirection)) {
                const auto *const row = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
                if (!row->datallowconn || row->datistemplate || row->datconnlimit == invalid_database)
                    continue;
                into->more = into->count == max_databases;
                if (!into->more)
                    into->oids[static_cast<std::size_t>(into->count++)] = row->oid;
            }
            table_endscan(scan);
            table_close(catalog, AccessShareLock);
        });
    });
    return found;
}

} // namespace autosync::worker
