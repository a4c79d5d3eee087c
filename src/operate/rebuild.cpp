// rebuild(): a new collection beside the old one, which takes its place when it is complete.

#include "capture/wake.hpp"
#include "config/catalog.hpp"
#include "config/json.hpp"
#include "operate/access.hpp"
#include "operate/ask.hpp"
#include "operate/condition.hpp"
#include "operate/vectors.hpp"
#include "targets/qdrant_answer.hpp"
#include "targets/qdrant_collection.hpp"
#include "targets/qdrant_rebuild.hpp"
#include "targets/secrets.hpp"

namespace autosync::operate {

namespace {

namespace qdrant = targets::qdrant;

/// All tables of a collection would have to move with it.
void require_alone(const VectorSync &declared)
{
    config::Catalog catalog;
    for (const auto &trigger : catalog.triggers()) {
        const auto *const other = catalog.table(trigger.table);
        if (trigger.table == declared.sync.table || trigger.declaration.target != declared.target.name || other == nullptr ||
            qdrant::collection_of(trigger.declaration.options, other->name) != declared.compiled().collection)
            continue;
        throw pg::Failure{ERRCODE_FEATURE_NOT_SUPPORTED, "collection \"" + declared.compiled().collection + "\" cannot be rebuilt",
                          "It holds table " + source_name(trigger.table) + " too.",
                          "Give each table a collection of its own with the option \"collection\"."};
    }
}

/// The collection that searches are answered from now.
std::string current_collection(const VectorSync &declared)
{
    const auto &server = declared.target.description;
    const auto &alias = declared.compiled().collection;
    const auto response = ask(qdrant::aliases_request(server), server.access, declared.target.limits);
    if (auto problem = qdrant::problem_of(targets::without_secrets(server, response), qdrant::Asked::read)) {
        problem->message = targets::without_secrets(server, std::move(problem->message));
        fail_with(*problem, declared.target.name);
    }
    const auto current = qdrant::behind_alias(response, alias);
    if (current == alias || current.empty())
        throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                          "\"" + alias + "\" is no alias of a collection at target \"" + declared.target.name + "\"",
                          "Only behind an alias another collection can take its place at once.",
                          "Set the option \"collection\" to a name that is not taken: it becomes an alias, and the rows are delivered there."};
    return current;
}

/// What an earlier request was filling goes when this one is done.
std::string plan(const VectorSync &declared, const std::string &current, const pg::Cell &under_way)
{
    auto abandoned = config::Json::array();
    std::string last = current;
    if (const auto before = under_way ? config::parse_json(*under_way) : std::nullopt; before && before->is_object()) {
        abandoned = before->value("abandoned", config::Json::array());
        last = before->value("collection", current);
        if (last != current)
            abandoned.push_back(last);
    }
    const auto next = qdrant::next_collection(declared.compiled().collection, last);
    return config::Json{{"collection", next}, {"replaces", current}, {"abandoned", abandoned}}.dump();
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_rebuild)
{
    operate::require_arguments(fcinfo, {"source", "target"});
    const Oid source = DatumGetObjectId(fcinfo->args[0].value);
    const std::string name = pg::name_argument(fcinfo, 1);
    operate::require_table(source);
    (void) operate::require_target_usage(name);
    const auto declared = operate::require_vector_sync(source, name);
    operate::require_alone(declared);
    const std::string instance = operate::require_instance();
    const auto current = operate::current_collection(declared);
    const auto total = operate::estimate_rows(source, std::nullopt);
    const std::string caller = pg::call([] { return GetUserNameFromId(GetUserId(), false); });
    {
        const pg::ActingAs owner{pg::extension_owner(), false};
        const std::vector<pg::Cell> which{instance, name, std::to_string(source)};
        const auto under_way = pg::execute_one("SELECT options FROM autosync.jobs WHERE instance = $1::int8 AND target = $2::name"
                                               " AND source = $3::oid AND kind = 'rebuild' FOR UPDATE",
                                               which);
        pg::execute("INSERT INTO autosync.jobs (instance, target, source, kind, options, total, reason, requested_by, requested_at)"
                    " VALUES ($1::int8, $2::name, $3::oid, 'rebuild', $4::jsonb, $5::int8, 'requested', $6::name, clock_timestamp())"
                    " ON CONFLICT (instance, target, source, kind) DO UPDATE SET options = excluded.options, total = excluded.total, done = 0,"
                    " \"position\" = NULL, started_at = NULL, updated_at = NULL, requested_by = excluded.requested_by,"
                    " requested_at = excluded.requested_at",
                    {instance, name, std::to_string(source), operate::plan(declared, current, under_way), std::to_string(total), caller});
    }
    capture::wake_at_commit();
    PG_RETURN_INT64(total);
}
