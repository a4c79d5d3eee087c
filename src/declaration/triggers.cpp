#include "declaration/triggers.hpp"

#include <algorithm>

#include "config/options.hpp"
#include "declaration/check.hpp"
#include "declaration/dependency.hpp"
#include "declaration/refresh.hpp"
#include "pg/spi.hpp"

namespace autosync::declaration {

namespace {

using config::DeclaredTrigger;
using config::Options;
using config::Table;

bool captures_truncate(const Options &options)
{
    const auto operations = options.find("operations");
    return operations == options.end() || std::ranges::count(config::parse_columns(operations->second), "truncate") > 0;
}

/// What the companion needs to know besides the target.
Options companion_options(const Options &options)
{
    Options own;
    if (const auto enabled = options.find("enabled"); enabled != options.end())
        own.insert(*enabled);
    return own;
}

std::string call_of_capture(const std::string &target, const Options &options)
{
    std::string call = "EXECUTE FUNCTION autosync.capture(" + pg::quote_string(target);
    for (const auto &[name, value] : options)
        call += ", " + pg::quote_string(name + "=" + value);
    return call + ")";
}

std::string table_name(const Table &table) { return pg::quote_qualified(table.schema, table.name); }

void create_companion(const Table &table, const std::string &target, const Options &options)
{
    pg::execute("CREATE TRIGGER " + pg::quote(trigger_name(target, "_truncate")) + " AFTER TRUNCATE ON " + table_name(table) +
                " FOR EACH STATEMENT " + call_of_capture(target, companion_options(options)));
}

void replace(const Table &table, const DeclaredTrigger &trigger, const Options &options)
{
    constexpr std::string_view create = "CREATE TRIGGER ";
    constexpr std::string_view execute = " EXECUTE FUNCTION ";
    const auto definition = pg::execute_one("SELECT pg_catalog.pg_get_triggerdef($1::pg_catalog.oid)", {std::to_string(trigger.oid)}).value_or("");
    const auto end = definition.find(execute);
    if (!definition.starts_with(create) || end == std::string::npos)
        throw std::logic_error{"unexpected definition of a trigger: " + definition};
    pg::execute("CREATE OR REPLACE TRIGGER " + definition.substr(create.size(), end - create.size()) + " " +
                call_of_capture(trigger.declaration.target, options));
    const char *const state = trigger.enabled == TRIGGER_DISABLED           ? "DISABLE"
                              : trigger.enabled == TRIGGER_FIRES_ALWAYS     ? "ENABLE ALWAYS"
                              : trigger.enabled == TRIGGER_FIRES_ON_REPLICA ? "ENABLE REPLICA"
                                                                            : nullptr;
    if (state != nullptr)
        pg::execute("ALTER TABLE " + table_name(table) + " " + state + " TRIGGER " + pg::quote(trigger.name));
}

void drop(const Table &table, const DeclaredTrigger &trigger) { pg::execute("DROP TRIGGER " + pg::quote(trigger.name) + " ON " + table_name(table)); }

/// The event trigger, which does this for triggers made by hand, does not fire in a single-user server.
void record_dependencies(Oid table, const std::string &target)
{
    const char *const name = target.c_str();
    const Oid server = pg::call([name] { return get_foreign_server_oid(name, false); });
    config::Catalog catalog;
    for (const auto *const trigger : {catalog.sync(table, target), catalog.companion(table, target)})
        if (trigger != nullptr)
            record_dependency({TriggerRelationId, trigger->oid}, server);
}

} // namespace

std::string trigger_name(const std::string &target, const std::string &suffix)
{
    const std::string name = "_autosync_" + target + suffix;
    if (name.size() < NAMEDATALEN)
        return name;
    std::uint32_t hash = 2'166'136'261U; // FNV-1a
    for (const char letter : target)
        hash = (hash ^ static_cast<unsigned char>(letter)) * 16'777'619U;
    constexpr std::string_view digits = "0123456789abcdef";
    std::string tail = "_";
    for (int shift = 28; shift >= 0; shift -= 4)
        tail += digits[(hash >> shift) & 0xFU];
    tail += suffix;
    const char *const text = name.c_str();
    const int room = NAMEDATALEN - 1 - static_cast<int>(tail.size());
    const int length = pg::call([=] { return pg_mbcliplen(text, room, room); });
    return name.substr(0, static_cast<std::size_t>(length)) + tail;
}

void create_triggers(const Table &table, const std::string &target, const Options &options)
{
    const Quiet quiet;
    pg::execute("CREATE TRIGGER " + pg::quote(trigger_name(target, "")) + " AFTER INSERT OR UPDATE OR DELETE ON " + table_name(table) +
                " FOR EACH ROW " + call_of_capture(target, options));
    if (captures_truncate(options))
        create_companion(table, target, options);
    record_dependencies(table.oid, target);
    arrange_refresh(table, target, {}, options);
}

void replace_triggers(const Table &table, const DeclaredTrigger &row, const DeclaredTrigger *companion, const Options &options)
{
    const Quiet quiet;
    replace(table, row, options);
    if (companion != nullptr && captures_truncate(options))
        replace(table, *companion, companion_options(options));
    else if (companion != nullptr)
        drop(table, *companion);
    else if (captures_truncate(options) && !captures_truncate(row.declaration.options))
        create_companion(table, row.declaration.target, options);
    record_dependencies(table.oid, row.declaration.target);
    arrange_refresh(table, row.declaration.target, row.declaration.options, options);
}

void drop_triggers(const Table &table, const DeclaredTrigger &row, const DeclaredTrigger *companion)
{
    drop(table, row);
    if (companion != nullptr)
        drop(table, *companion);
    arrange_refresh(table, row.declaration.target, row.declaration.options, {});
}

} // namespace autosync::declaration
