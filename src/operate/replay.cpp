// replay(): what was captured since a moment is delivered once more, as the history knows it.

#include "capture/wake.hpp"
#include "config/settings.hpp"
#include "operate/access.hpp"
#include "outbox/event_id.hpp"
#include "outbox/history.hpp"

namespace autosync::operate {

namespace {

/// Marks each entity of the target's tables that the history has an event of; how many. What is pending, in trouble, or was taken from the
/// target by hand stays as it is.
std::int64_t mark(const std::string &instance, const std::string &target, const std::string &since)
{
    constexpr std::uint32_t first = 0;
    const auto xid = pg::call([] { return U64FromFullTransactionId(GetTopFullTransactionId()); });
    const auto count = pg::execute_one(
        "WITH events AS (SELECT h.target, h.source, h.key, h.operation, h.created_at FROM autosync.history_0 AS h WHERE h.instance = $1::int8"
        " UNION ALL SELECT h.target, h.source, h.key, h.operation, h.created_at FROM autosync.history_1 AS h WHERE h.instance = $1::int8"
        " UNION ALL SELECT h.target, h.source, h.key, h.operation, h.created_at FROM autosync.history_2 AS h WHERE h.instance = $1::int8),"
        " changed AS (SELECT e.source, e.key, (array_agg(e.operation ORDER BY e.created_at DESC) FILTER (WHERE e.target = $2))[1] AS last FROM events AS e"
        " JOIN autosync.sync_rows() AS s ON s.source = e.source AND s.target = $2::name"
        " WHERE e.key IS NOT NULL AND e.created_at >= $3::timestamptz GROUP BY e.source, e.key),"
        " marked AS (INSERT INTO autosync.exceptions AS x (instance, target, source, key, event_id, operation, status, attempts, created_at, updated_at,"
        " next_attempt_at) SELECT $1::int8, $2::name, c.source, c.key, $4 || lpad(to_hex(row_number() OVER ()), 4, '0'), 'replay', 'PENDING', 0,"
        " clock_timestamp(), clock_timestamp(), clock_timestamp() FROM changed AS c WHERE c.last IS DISTINCT FROM 'unpublish'"
        " ON CONFLICT (instance, target, source, key) DO UPDATE SET event_id = excluded.event_id, operation = excluded.operation, verb = NULL,"
        " status = excluded.status, attempts = 0, last_error = NULL, created_at = excluded.created_at, updated_at = excluded.updated_at,"
        " next_attempt_at = excluded.next_attempt_at, expires_at = NULL WHERE x.status IN ('EXPIRED', 'DISCARDED') RETURNING 1)"
        " SELECT count(*) FROM marked",
        {instance, target, since, outbox::event_id(xid, outbox::hand_made, first).substr(0, 22)});
    return std::stoll(count.value_or("0"));
}

/// The history does not go back so far.
bool too_early(const std::string &since)
{
    return !outbox::keeps_history() || pg::execute_one("SELECT $1::timestamptz < now() - $2::float8 * interval '1 second'",
                                                       {since, std::to_string(config::settings.history_retention)}) == "t";
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_replay)
{
    operate::require_arguments(fcinfo, {"target", "since"});
    const std::string target = pg::name_argument(fcinfo, 0);
    const Datum time = fcinfo->args[1].value;
    const std::string since = pg::call([time] { return DatumGetCString(DirectFunctionCall1(timestamptz_out, time)); });
    (void) operate::require_target_owner(target);
    const std::string instance = operate::require_instance();
    if (operate::too_early(since))
        pg::report(NOTICE, ERRCODE_SUCCESSFUL_COMPLETION, "delivered events are not kept for so long", "What is older than autosync.history_retention is not delivered again.",
                   "Run autosync.backfill() to deliver all rows that exist.");
    const pg::ActingAs owner{pg::extension_owner(), false};
    const auto count = operate::mark(instance, target, since);
    if (count > 0)
        capture::wake_at_commit();
    PG_RETURN_INT64(count);
}
