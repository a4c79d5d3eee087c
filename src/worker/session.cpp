#include "worker/session.hpp"

#include "pg/spi.hpp"

namespace autosync::worker {

namespace {

struct Setting {
    const char *name;
    const char *value;
};

constexpr Setting settings[] = {
    {"DateStyle", "ISO"},
    {"IntervalStyle", "postgres"},
    {"TimeZone", "UTC"},
    {"application_name", "autosync worker"},
    {"bytea_output", "hex"},
    {"default_transaction_deferrable", "off"},
    {"default_transaction_isolation", "read committed"},
    {"default_transaction_read_only", "off"},
    {"extra_float_digits", "1"},
    {"idle_in_transaction_session_timeout", "0"},
    {"jit", "off"},
    {"lock_timeout", "50ms"}, // below deadlock_timeout: it is the worker that gives up, never the user
    {"row_security", "off"},  // what it would hide raises instead
    {"search_path", "pg_catalog, pg_temp"},
    {"standard_conforming_strings", "on"},
    {"statement_timeout", "0"},
    {"synchronous_commit", "off"}, // what must be durable before it is sent is flushed by name
#if PG_VERSION_NUM >= 170000
    {"transaction_timeout", "0"},
#endif
};

} // namespace

std::string connect(Oid database)
{
    pg::call([database] {
        BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
        for (const auto &setting : settings)
            SetConfigOption(setting.name, setting.value, PGC_SUSET, PGC_S_OVERRIDE);
    });
    std::string name;
    pg::transaction([&name, database] {
        if (const char *const found = pg::call([database] { return get_database_name(database); }))
            name = found;
    });
    return name;
}

Oid extension()
{
    Oid found = InvalidOid;
    pg::transaction([&found] { found = pg::call([] { return get_extension_oid("autosync", true); }); });
    return found;
}

std::chrono::milliseconds report_statistics()
{
    const long again = pg::call([] { return pgstat_report_stat(false); });
    return again > 0 ? std::chrono::milliseconds{again} : std::chrono::milliseconds::max();
}

} // namespace autosync::worker
