#include "outbox/logs.hpp"

#include "pg/spi.hpp"
#include "pg/watch.hpp"

namespace autosync::outbox {

namespace {

LogTables known;
pg::RelationWatch watch;

} // namespace

std::optional<LogTables> log_tables()
{
    if (watch.holds())
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
    watch.remember({known.tables.begin(), known.tables.end()});
    return known;
}

std::int64_t log_size()
{
    return std::stoll(pg::execute_one("SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::int8 FROM pg_class AS c"
                                      " WHERE c.oid IN ('autosync.log_0'::regclass, 'autosync.log_1'::regclass, 'autosync.log_2'::regclass)")
                          .value_or("0"));
}

} // namespace autosync::outbox
