#include "outbox/logs.hpp"

#include "pg/bridge.hpp"

namespace autosync::outbox {

namespace {

LogTables known;
bool valid = false;
bool watching = false;

void forget(Datum, Oid relation)
{
    if (relation == InvalidOid)
        valid = false;
    for (const Oid table : known.tables)
        valid = valid && table != relation;
}

} // namespace

std::optional<LogTables> log_tables()
{
    if (!watching) {
        pg::call([] { CacheRegisterRelcacheCallback(forget, Datum{0}); });
        watching = true;
    }
    if (valid)
        return known;
    const LogTables found = pg::call([] {
        static const char *const names[log_count] = {"log_0", "log_1", "log_2"};
        LogTables result;
        const Oid schema = get_namespace_oid("autosync", true);
        for (int i = 0; OidIsValid(schema) && i < log_count; ++i)
            result.tables[static_cast<std::size_t>(i)] = get_relname_relid(names[i], schema);
        return result;
    });
    for (const Oid table : found.tables) {
        if (!OidIsValid(table))
            return std::nullopt;
    }
    known = found;
    valid = true;
    return known;
}

} // namespace autosync::outbox
