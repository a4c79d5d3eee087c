// retry() and discard(): what the owner of a table decides on its dead letters.

#include "capture/wake.hpp"
#include "config/target.hpp"
#include "operate/access.hpp"
#include "outbox/behind.hpp"

namespace autosync::operate {

namespace {

/// Changes the dead letters that match and belong to the caller's tables; how many there were.
std::int64_t decide(FunctionCallInfo fcinfo, const std::string &changes)
{
    const auto target = optional_name(fcinfo, 0);
    const auto source = optional_oid(fcinfo, 1);
    const auto event = optional_text(fcinfo, 2);
    if (target)
        (void) require_target(*target);
    if (source)
        require_table(*source);
    const std::string caller = std::to_string(GetUserId());
    const std::string instance = require_instance();
    const pg::ActingAs owner{pg::extension_owner(), false};
    // A dead letter whose table is gone belongs to nobody: superusers decide on it. What an application has said is its own as well.
    const auto decided = pg::execute_one(
        "WITH decided AS ("
        "UPDATE autosync.exceptions e SET " + changes + ", updated_at = clock_timestamp()"
        " WHERE e.instance = $1::int8 AND e.status = 'FAILED'"
        " AND e.target = coalesce($2::name, e.target) AND e.source = coalesce($3::oid, e.source) AND e.event_id = coalesce($4, e.event_id)"
        " AND (coalesce((SELECT pg_has_role($5::oid, c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = e.source),"
        " (SELECT r.rolsuper FROM pg_roles r WHERE r.oid = $5::oid))"
        " OR (e.operation = 'emit' AND pg_has_role($5::oid, (e.payload::jsonb ->> 'by')::oid, 'USAGE'))) RETURNING 1) SELECT count(*) FROM decided",
        {instance, target, source ? pg::Cell{std::to_string(*source)} : pg::Cell{}, event, caller});
    return decided ? std::stoll(*decided) : 0;
}

/// What waits behind events that are given up for good comes next.
void go_on()
{
    const std::string instance = require_instance();
    const pg::ActingAs owner{pg::extension_owner(), false};
    for (const auto &target : config::target_names())
        (void) outbox::let_on(std::stoll(instance), target);
    capture::wake_at_commit();
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_retry)
{
    const auto count = operate::decide(fcinfo, "status = 'RETRYING', attempts = 0, next_attempt_at = clock_timestamp()");
    if (count > 0)
        capture::wake_at_commit();
    PG_RETURN_INT64(count);
}

AUTOSYNC_SQL(autosync_discard)
{
    const auto count = operate::decide(fcinfo, "status = 'DISCARDED', next_attempt_at = NULL");
    if (count > 0)
        operate::go_on();
    PG_RETURN_INT64(count);
}
