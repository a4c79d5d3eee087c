// explain_options(): each effective value and where it comes from.

#include <string>

#include "config/catalog.hpp"
#include "config/options.hpp"
#include "config/target.hpp"
#include "operate/access.hpp"
#include "operate/rows.hpp"

namespace autosync::declaration {

namespace {

struct Effective {
    std::string value;
    std::string level;  ///< sync, server, setting, default
    std::string source; ///< trigger, server or where the setting was made
};

const std::string *find(const config::Options &options, std::string_view name)
{
    const auto found = options.find(std::string{name});
    return found == options.end() ? nullptr : &found->second;
}

/// As this session has it, or, of what delivery obeys, as the worker does: the bootstrap superuser, who begins with what is set now for the database (or for
/// that role), whatever this session or its role has set.
constexpr const char *in_session = "SELECT pg_catalog.current_setting(name), source FROM pg_catalog.pg_settings WHERE name = $1";
constexpr const char *in_worker =
    "SELECT value, source FROM ("
    "SELECT 1, 2 * (setrole = 0)::int + (setdatabase = 0)::int, substr(entry, length($1) + 2),"
    " CASE WHEN setrole <> 0 AND setdatabase <> 0 THEN 'database user' WHEN setrole <> 0 THEN 'user' WHEN setdatabase <> 0 THEN 'database' ELSE 'global' END"
    " FROM pg_catalog.pg_db_role_setting, unnest(setconfig) AS entry"
    " WHERE setrole IN (0, 10) AND setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())) AND split_part(entry, '=', 1) = $1"
    " UNION ALL SELECT 2, 0, pg_catalog.current_setting(name), source FROM pg_catalog.pg_settings"
    " WHERE name = $1 AND source NOT IN ('session', 'client', 'user', 'database user', 'database', 'global')"
    " UNION ALL SELECT 3, -seqno, setting, 'configuration file' FROM pg_catalog.pg_file_settings WHERE name = $1 AND applied"
    " UNION ALL SELECT 4, 0, boot_val || coalesce(unit, ''), 'default' FROM pg_catalog.pg_settings WHERE name = $1"
    ") AS s (rank, place, value, source) ORDER BY rank, place LIMIT 1";

std::optional<Effective> from_setting(std::string_view option)
{
    const std::string name = "autosync." + std::string{option};
    const bool captures = option == "enabled" || option == "delivery";
    const pg::ActingAs owner{pg::extension_owner(), false}; // who may read the files
    const auto rows = pg::execute(captures ? in_session : in_worker, {name});
    if (rows.empty())
        return std::nullopt;
    const auto source = rows[0][1].value_or("");
    return Effective{rows[0][0].value_or(""), source == "default" ? "default" : "setting", name + " (" + source + ")"};
}

/// Switching off at any level switches off.
std::optional<Effective> switched_off(const config::Options &sync, const config::Options &server, const std::string &trigger,
                                      const std::string &target)
{
    const auto off = [](const std::string *value) { return value != nullptr && !config::parse_boolean(*value); };
    if (off(find(sync, "enabled")))
        return Effective{"off", "sync", "trigger " + trigger};
    if (off(find(server, "enabled")))
        return Effective{"off", "server", "server " + target};
    if (const auto setting = from_setting("enabled"); setting && setting->value == "off")
        return setting;
    return std::nullopt;
}

std::optional<Effective> effective(const config::Option &option, const config::Options &sync, const config::Options &server,
                                   const std::string &trigger, const std::string &target)
{
    if (option.name == "enabled")
        if (const auto off = switched_off(sync, server, trigger, target))
            return off;
    const bool of_sync = option.levels.find("sync") != std::string_view::npos;
    if (const auto *const value = of_sync ? find(sync, option.name) : nullptr)
        return Effective{*value, "sync", "trigger " + trigger};
    const bool of_server = option.levels.find("server") != std::string_view::npos;
    if (const auto *const value = of_server ? find(server, option.name) : nullptr)
        return Effective{*value, "server", "server " + target};
    if (option.fallback.starts_with('='))
        return Effective{std::string{option.fallback.substr(1)}, "default", {}};
    return option.fallback.empty() ? Effective{{}, "default", {}} : from_setting(option.fallback);
}

} // namespace

} // namespace autosync::declaration

AUTOSYNC_SQL(autosync_explain_options)
{
    using namespace autosync;
    operate::require_arguments(fcinfo, {"source", "target"});
    const Oid source = DatumGetObjectId(fcinfo->args[0].value);
    const std::string name = pg::name_argument(fcinfo, 1);
    operate::require_table(source);
    (void)operate::require_target_usage(name);
    const pg::ActingAs caller{GetUserId(), false}; // for its search_path
    config::Catalog catalog;
    const auto *const sync = catalog.sync(source, name);
    if (sync == nullptr)
        throw pg::Failure{ERRCODE_UNDEFINED_OBJECT,
                          "table " + operate::source_name(source) + " is not synced to target \"" + name + "\"",
                          {},
                          "Declare the sync with autosync.add_sync()."};
    const auto target = config::load_target(name, catalog.table(source)->owner);
    operate::Rows rows{fcinfo};
    for (const auto &option : config::options()) {
        const auto kind = target->kind->kind();
        if (config::find_option(kind, config::Level::sync, option.name) != &option &&
            config::find_option(kind, config::Level::server, option.name) != &option)
            continue;
        if (const auto now = declaration::effective(option, sync->declaration.options, target->description.options, sync->name, name))
            rows.add({std::string{option.name}, operate::text_or_null(now->value), now->level, operate::text_or_null(now->source)});
    }
    PG_RETURN_VOID();
}
