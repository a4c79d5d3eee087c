#include "outbox/truncate.hpp"

#include <optional>

#include "pg/fault.hpp"
#include "pg/spi.hpp"
#include "pg/truncate.hpp"

namespace autosync::outbox {

namespace {

/// Locks a table and its toast table, if that can be had at once; the latter, which may be none.
std::optional<Oid> lock(Oid table)
{
    return pg::call([table]() -> std::optional<Oid> {
        if (!ConditionalLockRelationOid(table, AccessExclusiveLock))
            return std::nullopt;
        Relation const opened = table_open(table, NoLock);
        const Oid toast = opened->rd_rel->reltoastrelid;
        table_close(opened, NoLock);
        if (OidIsValid(toast) && !ConditionalLockRelationOid(toast, AccessExclusiveLock))
            return std::nullopt;
        return toast;
    });
}

} // namespace

bool truncate_in_place(const std::string &table, const std::function<bool()> &check)
{
    const auto oid = pg::execute_one("SELECT $1::regclass::oid", {table});
    const Oid relation = static_cast<Oid>(std::stoul(oid.value_or("0")));
    const auto toast = lock(relation);
    if (!toast || !check())
        return false;
    AUTOSYNC_FAULT("before_rotate");
    pg::truncate(relation);
    if (OidIsValid(*toast))
        pg::truncate(*toast);
    AUTOSYNC_FAULT("in_rotate");
    return true;
}

} // namespace autosync::outbox
