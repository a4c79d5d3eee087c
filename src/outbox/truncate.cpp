#include "outbox/truncate.hpp"

#include "pg/spi.hpp"
#include "pg/wal.hpp"

namespace autosync::outbox {

bool truncate_in_place(const std::string &table, const std::function<bool()> &check)
{
    const auto oid = pg::execute_one("SELECT $1::regclass::oid", {table});
    const Oid relation = static_cast<Oid>(std::stoul(oid.value_or("0")));
    const bool locked = pg::call([relation] {
        if (!ConditionalLockRelationOid(relation, AccessExclusiveLock))
            return false;
        Relation const opened = table_open(relation, NoLock);
        const Oid toast = opened->rd_rel->reltoastrelid;
        table_close(opened, NoLock);
        return !OidIsValid(toast) || ConditionalLockRelationOid(toast, AccessExclusiveLock);
    });
    if (!locked || !check())
        return false;
    pg::call([relation] {
        Relation const opened = table_open(relation, NoLock);
        heap_truncate_one_rel(opened);
        table_close(opened, NoLock);
    });
    // Truncation is not undone by a crash, but what makes the emptied index usable again is in the log of that only.
    (void) pg::flush_wal();
    return true;
}

} // namespace autosync::outbox
