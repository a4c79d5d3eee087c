// alter_sync() and drop_sync(): what becomes of that which the target holds already?

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "capture/wake.hpp"
#include "config/json.hpp"
#include "config/target.hpp"
#include "declaration/arguments.hpp"
#include "declaration/check.hpp"
#include "declaration/jobs.hpp"
#include "declaration/triggers.hpp"
#include "operate/access.hpp"
#include "targets/history.hpp"

namespace autosync::declaration {

namespace {

using config::DeclaredTrigger;
using config::Options;

/// Entities that were written under another value of these are not found again: they must go first. Whatever else changes, targets take
/// back what they wrote otherwise when the row comes again, so that nothing is missing meanwhile.
constexpr std::array<std::string_view, 3> shaping{"collection", "id", "key"};
/// These change how something is delivered, not what.
constexpr std::array<std::string_view, 17> harmless{"batch_size", "debounce", "delivery", "entity_type", "event_ttl", "lane", "max_attempts", "max_in_flight", "max_lag",
                                                    "max_tokens_per_day", "notify", "rate_limit", "refresh_on", "request_timeout", "retry_initial_delay",
                                                    "retry_max_delay", "version"};

struct Declared {
    const config::Table &table;
    const DeclaredTrigger &row;
    const DeclaredTrigger *companion;
};

Declared require_sync(config::Catalog &catalog, Oid source, const std::string &target)
{
    const auto *const row = catalog.sync(source, target);
    if (row == nullptr)
        throw pg::Failure{ERRCODE_UNDEFINED_OBJECT,
                          "table " + operate::source_name(source) + " is not synced to target \"" + target + "\"",
                          {},
                          "Declare the sync with autosync.add_sync()."};
    return {*catalog.table(source), *row, catalog.companion(source, target)};
}

/// As ALTER SERVER does: what is not named stays; null takes an option away.
Options merged(Options options, const std::string &changes)
{
    auto object = config::parse_json(changes);
    if (!object || !object->is_object())
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "options must be a JSON object"};
    auto set = config::Json::object();
    for (const auto &[name, value] : object->items()) {
        if (value.is_null())
            options.erase(name);
        else
            set[name] = value;
    }
    for (const auto &[name, value] : config::options_from_json(set.dump()))
        options[name] = value;
    return options;
}

void notice_of_model(const std::string &table, const std::string &target, const Options &before, const Options &after)
{
    const auto changed = [&](const char *name) {
        const auto old_value = before.find(name);
        const auto new_value = after.find(name);
        return (old_value == before.end()) != (new_value == after.end()) || (old_value != before.end() && old_value->second != new_value->second);
    };
    if (changed("model") || changed("dimensions"))
        pg::report(NOTICE, ERRCODE_SUCCESSFUL_COMPLETION, "a collection that is there keeps its model and dimensions", {},
                   "If these are others now, run autosync.rebuild(" + pg::quote_string(table) + ", " + pg::quote_string(target) +
                       "): deliveries wait until then.");
}

template <std::size_t count> bool is_among(const std::array<std::string_view, count> &names, const std::string &name)
{
    return std::ranges::find(names, name) != names.end();
}

void request_jobs(const Declared &declared, const Options &before, const Options &after)
{
    bool reshaped = false;
    bool touched = false;
    const auto compare = [&](const Options &these, const Options &those) {
        for (const auto &[name, value] : these) {
            const auto other = those.find(name);
            if (other != those.end() && other->second == value)
                continue;
            reshaped |= is_among(shaping, name);
            touched |= !is_among(harmless, name);
        }
    };
    compare(before, after);
    compare(after, before);
    const auto &target = declared.row.declaration.target;
    const Oid table = declared.table.oid;
    if (reshaped)
        request_purge(target, table, config::source_name(declared.table.schema, declared.table.name), before, "alter_sync");
    else if (touched)
        request_job(target, table, Job::sweep, "alter_sync");
    if (touched)
        request_job(target, table, Job::backfill, "alter_sync");
}

} // namespace

} // namespace autosync::declaration

AUTOSYNC_SQL(autosync_alter_sync)
{
    using namespace autosync;
    operate::require_arguments(fcinfo, {"source", "target", "options"});
    const Oid source = DatumGetObjectId(fcinfo->args[0].value);
    const std::string target = pg::name_argument(fcinfo, 1);
    const auto changes = declaration::json_argument(fcinfo, 2);
    operate::require_table(source);
    (void)operate::require_target_usage(target);
    const pg::ActingAs caller{GetUserId(), false}; // for its search_path
    config::Catalog catalog;
    const auto declared = declaration::require_sync(catalog, source, target);
    const auto before = declared.row.declaration.options;
    const auto after = declaration::merged(before, changes);
    if (after == before)
        PG_RETURN_VOID();
    (void)declaration::check_sync(source, target, after);
    declaration::replace_triggers(declared.table, declared.row, declared.companion, after);
    if (!targets::keeps_history(config::kind_of_server(operate::require_target(target)), after)) // else what was told stays told
        declaration::request_jobs(declared, before, after);
    declaration::notice_of_model(operate::source_name(source), target, before, after);
    capture::announce_at_commit();
    PG_RETURN_VOID();
}

AUTOSYNC_SQL(autosync_drop_sync)
{
    using namespace autosync;
    operate::require_arguments(fcinfo, {"source", "target", "purge"});
    const Oid source = DatumGetObjectId(fcinfo->args[0].value);
    const std::string target = pg::name_argument(fcinfo, 1);
    const bool purge = DatumGetBool(fcinfo->args[2].value);
    operate::require_table(source);
    const pg::ActingAs caller{GetUserId(), false}; // for its search_path
    config::Catalog catalog;
    const auto declared = declaration::require_sync(catalog, source, target);
    if (purge) // removes things at the target, so it takes the right to use it
        (void)operate::require_target_usage(target);
    declaration::drop_triggers(declared.table, declared.row, declared.companion);
    declaration::forget_sync(target, source);
    if (purge)
        declaration::request_purge(target, source, config::source_name(declared.table.schema, declared.table.name), declared.row.declaration.options,
                                   "drop_sync");
    capture::announce_at_commit();
    PG_RETURN_VOID();
}
