// The event trigger: a trigger that calls capture() is checked when it is created, whoever creates it, however.

#include <string>

#include "capture/wake.hpp"
#include "config/connection.hpp"
#include "config/target.hpp"
#include "declaration/adoption.hpp"
#include "declaration/check.hpp"
#include "declaration/dependency.hpp"
#include "declaration/embedder.hpp"
#include "declaration/refresh.hpp"
#include "declaration/triggers.hpp"
#include "operate/access.hpp"
#include "pg/spi.hpp"

namespace autosync::declaration {

namespace {

void notice(const std::string &message, const std::string &hint) { pg::report(NOTICE, ERRCODE_SUCCESSFUL_COMPLETION, message, {}, hint); }

[[noreturn]] void refuse_form(const std::string &message, const std::string &hint)
{
    throw pg::Failure{ERRCODE_INVALID_OBJECT_DEFINITION, message, {}, hint};
}

/// What the trigger's arguments and type do not tell.
struct Form {
    bool constraint = false;
    bool condition = false;
    bool some_columns = false; ///< UPDATE OF …
};

Form read_form(Oid trigger)
{
    const auto rows =
        pg::execute("SELECT tgconstraint <> 0, tgqual IS NOT NULL, tgattr <> '' FROM pg_catalog.pg_trigger WHERE oid = $1::pg_catalog.oid",
                    {std::to_string(trigger)});
    return {rows.at(0).at(0) == "t", rows.at(0).at(1) == "t", rows.at(0).at(2) == "t"};
}

void check_form(const config::DeclaredTrigger &trigger, const Form &form)
{
    if (form.constraint)
        refuse_form("a constraint trigger cannot declare a sync", "Write CREATE TRIGGER … AFTER INSERT OR UPDATE OR DELETE … FOR EACH ROW.");
    if (!TRIGGER_FOR_AFTER(trigger.type))
        refuse_form("autosync.capture() must be called by an AFTER trigger", "What a BEFORE trigger sees may still change.");
    if (!TRIGGER_FOR_ROW(trigger.type) && (trigger.type & TRIGGER_TYPE_EVENT_MASK) != TRIGGER_TYPE_TRUNCATE)
        refuse_form("a statement-level trigger can capture TRUNCATE only",
                    "Write FOR EACH ROW for INSERT, UPDATE and DELETE, in a trigger of its own.");
}

/// Server of the target; InvalidOid with a WARNING when a restore may still have to make it or to grant its use.
Oid usable_target(const std::string &target)
{
    if (check_function_bodies)
        return operate::require_target_usage(target);
    const char *const name = target.c_str();
    const Oid server = pg::call([name] { return get_foreign_server_oid(name, true); });
    if (!OidIsValid(server) || config::kind_of_server(server).empty()) {
        pg::report(WARNING, ERRCODE_UNDEFINED_OBJECT, "target \"" + target + "\" does not exist", {},
                   "Create it with autosync.add_target() or CREATE SERVER.");
        return InvalidOid;
    }
    if (pg::call([server] { return object_aclcheck(ForeignServerRelationId, server, GetUserId(), ACL_USAGE) != ACLCHECK_OK; }))
        pg::report(WARNING, ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied for foreign server " + target, {},
                   "Nothing is delivered until USAGE is granted.");
    return server;
}

void warn_of_traps(const config::DeclaredTrigger &trigger, const Form &form, const Checked &checked)
{
    if (form.condition)
        notice("the trigger has a WHEN condition: a row that stops matching it stays in the target",
               "Use the option \"filter\" to say which rows are synced.");
    if (form.some_columns)
        notice("the trigger fires for updates of some columns only",
               "Use the option \"columns\" to say what is sent: updates of other columns are left out by themselves.");
    const auto operations = trigger.declaration.options.find("operations");
    const bool wanted = operations == trigger.declaration.options.end() || operations->second.find("truncate") != std::string::npos;
    if (wanted && !checked.sync.has_truncate_trigger)
        notice("TRUNCATE of table \"" + checked.sync.source.name + "\" will not be noticed unless a statement-level trigger captures it",
               "CREATE TRIGGER " + pg::quote(trigger.name + "_truncate") + " AFTER TRUNCATE ON " +
                   pg::quote_qualified(checked.sync.schema, checked.sync.name) + " FOR EACH STATEMENT EXECUTE FUNCTION autosync.capture(" +
                   pg::quote_string(trigger.declaration.target) + ")");
}

void check_trigger(Oid oid)
{
    config::Catalog catalog;
    const config::DeclaredTrigger *trigger = nullptr;
    for (const auto &it : catalog.triggers())
        if (it.oid == oid)
            trigger = &it;
    if (trigger == nullptr) // somebody else's
        return;
    const auto form = read_form(oid);
    const auto *const table = catalog.table(trigger->table);
    if (table != nullptr && table->kind == RELKIND_VIEW) // triggers on views have a form of their own: name the real trouble
        throw pg::Failure{ERRCODE_WRONG_OBJECT_TYPE,
                          "cannot sync view \"" + config::source_name(table->schema, table->name) + "\"",
                          {},
                          "Changes happen in tables: sync those that the view reads."};
    check_form(*trigger, form);
    operate::require_table(trigger->table);
    if (!trigger->problem.empty())
        throw pg::Failure{
            ERRCODE_INVALID_PARAMETER_VALUE, trigger->problem, {}, "Write EXECUTE FUNCTION autosync.capture('target', 'option=value', …)."};
    const auto &[target, options] = trigger->declaration;
    const Oid server = usable_target(target);
    if (!OidIsValid(server))
        return;
    for (const auto &other : catalog.triggers())
        if (other.oid != oid && other.table == trigger->table && other.declaration.target == target &&
            TRIGGER_FOR_ROW(other.type) == TRIGGER_FOR_ROW(trigger->type))
            throw pg::Failure{ERRCODE_DUPLICATE_OBJECT,
                              "table is already synced to target \"" + target + "\" by trigger \"" + other.name + "\"",
                              {},
                              "Change its options with autosync.alter_sync(), or drop it first."};
    if (TRIGGER_FOR_ROW(trigger->type)) {
        const auto checked = check_sync(trigger->table, target, options);
        if (check_function_bodies)
            warn_of_traps(*trigger, form, checked);
        if (check_function_bodies)
            notice_of_refresh(*table, target, options);
    } else {
        check_options(config::kind_of_server(server), config::Level::sync, options);
    }
    record_dependency({TriggerRelationId, oid}, server);
    capture::announce_at_commit();
}

/// Triggers name their target, targets their embedder: a server that is named so keeps its name.
void refuse_rename(const Node *statement)
{
    if (statement == nullptr || !IsA(statement, RenameStmt))
        return;
    const auto *const rename = reinterpret_cast<const RenameStmt *>(statement);
    if (rename->renameType != OBJECT_FOREIGN_SERVER)
        return;
    const std::string old_name = strVal(rename->object);
    if (const auto target = target_of_embedder(old_name); !target.empty())
        throw pg::Failure{ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST, "cannot rename foreign server \"" + old_name + "\" because targets name it",
                          "Target \"" + target + "\" is one of them.", "Set their option \"embedder\" to another server first."};
    config::Catalog catalog;
    for (const auto &trigger : catalog.triggers())
        if (trigger.declaration.target == old_name)
            throw pg::Failure{ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST, "cannot rename foreign server \"" + old_name + "\" because syncs name it",
                              "Trigger \"" + trigger.name + "\" is one of them.", "Drop the syncs, rename the server, and declare them anew."};
}

std::string server_name(Oid server)
{
    return pg::call([server] { return GetForeignServer(server)->servername; });
}

/// What the points that are there were made with stays as it was: a collection of another model or size is not delivered to.
void notice_of_models(const std::string &server, const Node *statement)
{
    if (statement == nullptr || !IsA(statement, AlterForeignServerStmt))
        return;
    const auto *const options = reinterpret_cast<const AlterForeignServerStmt *>(statement)->options;
    bool concerned = false;
    for (int i = 0; i < list_length(options); ++i) {
        const std::string_view name = static_cast<const DefElem *>(list_nth(options, i))->defname;
        concerned = concerned || name == "model" || name == "dimensions" || name == "distance";
    }
    if (!concerned)
        return;
    config::Catalog catalog;
    for (const auto &trigger : catalog.triggers()) {
        const auto connection = config::load_connection(trigger.declaration.target, InvalidOid);
        const auto *const embedder = connection ? config::find(connection->options, "embedder") : nullptr;
        if (trigger.declaration.target != server && (embedder == nullptr || *embedder != server))
            continue;
        notice("collections that are there keep their model, dimensions and distance",
               "If these are others now, run autosync.rebuild(source, target) for each table that is synced: deliveries wait until then.");
        return;
    }
}

void look_at(const std::string &tag, Oid object, const Node *statement)
{
    if (tag == "CREATE TRIGGER") {
        check_trigger(object);
    } else if (tag == "CREATE SERVER") {
        if (config::kind_of_server(object).empty())
            return;
        check_embedder(server_name(object));
        notice_unless_adopted();
    } else if (tag == "ALTER SERVER") {
        refuse_rename(statement);
        check_embedder(server_name(object));
        notice_of_models(server_name(object), statement);
        capture::announce_at_commit(); // what did not work may work now
    } else if (tag == "CREATE USER MAPPING" || tag == "ALTER USER MAPPING") {
        capture::announce_at_commit();
    }
}

} // namespace

} // namespace autosync::declaration

AUTOSYNC_SQL(autosync_check_declaration)
{
    using namespace autosync;
    if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
        throw pg::Failure{ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED, "autosync.check_declaration() is called by its event trigger only"};
    if (declaration::Quiet::on())
        return Datum{0};
    const auto *const event = reinterpret_cast<EventTriggerData *>(fcinfo->context);
    const pg::ActingAs caller{GetUserId(), false}; // for its search_path
    for (const auto &row : pg::execute("SELECT command_tag, objid FROM pg_catalog.pg_event_trigger_ddl_commands() WHERE objid IS NOT NULL"))
        declaration::look_at(*row[0], static_cast<Oid>(std::stoul(*row[1])), event->parsetree);
    return Datum{0};
}
