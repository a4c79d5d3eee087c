// backfill(): asks the worker to deliver the rows that exist.

#include "capture/wake.hpp"
#include "operate/access.hpp"
#include "operate/condition.hpp"

namespace autosync::operate {

namespace {

/// One job per table and target: a second request while one is under way starts it anew, for what either of them wants.
void request(const std::string &instance, const std::string &target, Oid source, const std::optional<std::string> &condition, std::int64_t total,
             const std::string &caller)
{
    pg::execute("INSERT INTO autosync.jobs AS j (instance, target, source, kind, where_clause, total, reason, requested_by, requested_at)"
                " VALUES ($1::int8, $2::name, $3::oid, 'backfill', $4, $5::int8, 'requested', $6::name, clock_timestamp())"
                " ON CONFLICT (instance, target, source, kind) DO UPDATE SET"
                " where_clause = CASE WHEN j.where_clause = excluded.where_clause THEN j.where_clause"
                " WHEN position('(' || excluded.where_clause || E'\\n)' IN j.where_clause) > 0 THEN j.where_clause"
                " ELSE '(' || j.where_clause || E'\\n) OR (' || excluded.where_clause || E'\\n)' END,"
                " total = greatest(j.total, excluded.total), done = 0, \"position\" = NULL, started_at = NULL, updated_at = NULL, reason = excluded.reason,"
                " requested_by = excluded.requested_by, requested_at = excluded.requested_at",
                {instance, target, std::to_string(source), condition, std::to_string(total), caller});
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_backfill)
{
    operate::require_arguments(fcinfo, {"source"});
    const Oid source = DatumGetObjectId(fcinfo->args[0].value);
    const auto target = operate::optional_name(fcinfo, 1);
    const auto condition = operate::optional_text(fcinfo, 2);
    operate::require_table(source);
    if (target)
        (void) operate::require_target_usage(*target);
    const auto targets = operate::targets_of_source(source, target);
    const std::string instance = operate::require_instance();
    const auto total = operate::estimate_rows(source, condition);
    const std::string caller = pg::call([] { return GetUserNameFromId(GetUserId(), false); });
    const pg::ActingAs owner{pg::extension_owner(), false};
    for (const auto &name : targets)
        operate::request(instance, name, source, condition, total, caller);
    capture::wake_at_commit();
    PG_RETURN_INT64(total);
}
