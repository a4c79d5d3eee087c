#include "declaration/refresh.hpp"

#include <algorithm>

#include "config/refresh.hpp"
#include "declaration/dependency.hpp"
#include "declaration/triggers.hpp"
#include "operate/access.hpp"
#include "pg/spi.hpp"

namespace autosync::declaration {

namespace {

/// The triggers of a table that call refresh() for this target: name and oid.
pg::Rows triggers_of(Oid table, const std::string &target)
{
    return pg::execute("SELECT tgname, oid FROM pg_catalog.pg_trigger WHERE tgrelid = $1::pg_catalog.oid AND tgparentid = 0 AND NOT tgisinternal"
                       " AND tgfoid = pg_catalog.to_regprocedure('autosync.refresh()') AND tgargs = pg_catalog.convert_to($2, pg_catalog.getdatabaseencoding()) || '\\x00'::bytea",
                       {std::to_string(table), target});
}

std::string name_of(Oid table) { return pg::execute_one("SELECT $1::pg_catalog.oid::pg_catalog.regclass::text", {std::to_string(table)}).value_or(""); }

std::string definition(Oid table, const std::string &target, bool truncate)
{
    return "CREATE TRIGGER " + pg::quote(trigger_name(target, truncate ? "_refresh_truncate" : "_refresh")) + (truncate ? " AFTER TRUNCATE" : " AFTER INSERT OR UPDATE OR DELETE") + " ON " +
           name_of(table) + (truncate ? " FOR EACH STATEMENT" : " FOR EACH ROW") + " EXECUTE FUNCTION autosync.refresh(" + pg::quote_string(target) + ")";
}

bool asked_for(Oid child, const std::string &target)
{
    config::Catalog catalog;
    for (const auto &trigger : catalog.triggers()) {
        const auto *const table = catalog.table(trigger.table);
        if (table == nullptr || trigger.declaration.target != target || !trigger.problem.empty())
            continue;
        const auto named = config::refreshes(*table, trigger.declaration.options);
        if (std::ranges::find(named, child, &config::Refresh::child) != named.end())
            return true;
    }
    return false;
}

} // namespace

void arrange_refresh(const config::Table &parent, const std::string &target, const config::Options &before, const config::Options &after)
{
    const char *const name = target.c_str();
    for (const auto &refresh : config::refreshes(parent, after)) {
        if (!triggers_of(refresh.child, target).empty())
            continue;
        operate::require_table(refresh.child);
        pg::execute(definition(refresh.child, target, false));
        pg::execute(definition(refresh.child, target, true));
        const Oid server = pg::call([name] { return get_foreign_server_oid(name, false); });
        for (const auto &row : triggers_of(refresh.child, target))
            record_dependency({TriggerRelationId, static_cast<Oid>(std::stoul(row[1].value_or("0")))}, server);
    }
    for (const auto &refresh : config::refreshes(parent, before)) {
        if (!OidIsValid(refresh.child) || asked_for(refresh.child, target))
            continue;
        for (const auto &row : triggers_of(refresh.child, target))
            pg::execute("DROP TRIGGER " + pg::quote(row[0].value_or("")) + " ON " + name_of(refresh.child));
    }
}

void notice_of_refresh(const config::Table &parent, const std::string &target, const config::Options &options)
{
    for (const auto &refresh : config::refreshes(parent, options))
        if (triggers_of(refresh.child, target).empty())
            pg::report(NOTICE, ERRCODE_SUCCESSFUL_COMPLETION, "changes of table \"" + refresh.table + "\" will not be noticed unless triggers tell of them", {},
                       definition(refresh.child, target, false) + "; " + definition(refresh.child, target, true));
}

} // namespace autosync::declaration
