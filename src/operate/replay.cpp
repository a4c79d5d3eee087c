// replay(): what was captured since a moment is delivered once more, as the history knows it.

#include "capture/wake.hpp"
#include "config/settings.hpp"
#include "config/target.hpp"
#include "operate/access.hpp"
#include "outbox/behind.hpp"
#include "outbox/event_id.hpp"
#include "outbox/history.hpp"
#include "outbox/word.hpp"
#include "targets/history.hpp"

namespace autosync::operate {

namespace {

/// Oids of the tables whose syncs to this target are told of every event, and what stands in for those of other entities.
std::string told_tables(const std::string &target)
{
    const auto kind = config::kind_of_server(require_target(target));
    std::string tables = targets::may_keep_history(kind) ? "{" + std::to_string(outbox::words_source) : "{";
    for (const auto &sync : config::load_syncs())
        if (sync.target == target && targets::keeps_history(kind, sync.options))
            tables += (tables.size() > 1 ? "," : "") + std::to_string(sync.table);
    return tables + "}";
}

/// Marks each entity of the target's tables that the history has an event of; how many. What is pending, in trouble, or was taken from the
/// target by hand stays as it is.
std::int64_t mark(const std::string &instance, const std::string &target, const std::string &since, const std::string &but)
{
    constexpr std::uint32_t first = 0;
    const auto xid = pg::call([] { return U64FromFullTransactionId(GetTopFullTransactionId()); });
    const auto count = pg::execute_one(
        "WITH events AS (SELECT h.target, h.source, h.key, h.operation, h.created_at FROM autosync.history_0 AS h WHERE h.instance = $1::int8"
        " UNION ALL SELECT h.target, h.source, h.key, h.operation, h.created_at FROM autosync.history_1 AS h WHERE h.instance = $1::int8"
        " UNION ALL SELECT h.target, h.source, h.key, h.operation, h.created_at FROM autosync.history_2 AS h WHERE h.instance = $1::int8),"
        " changed AS (SELECT e.source, e.key, (array_agg(e.operation ORDER BY e.created_at DESC) FILTER (WHERE e.target = $2))[1] AS last FROM events AS e"
        " JOIN autosync.sync_rows() AS s ON s.source = e.source AND s.target = $2::name AND s.source <> ALL ($5::oid[])"
        " WHERE e.key IS NOT NULL AND e.created_at >= $3::timestamptz GROUP BY e.source, e.key),"
        " marked AS (INSERT INTO autosync.exceptions AS x (instance, target, source, key, event_id, operation, status, attempts, created_at, updated_at,"
        " next_attempt_at) SELECT $1::int8, $2::name, c.source, c.key, $4 || lpad(to_hex(row_number() OVER ()), 4, '0'), 'replay', 'PENDING', 0,"
        " clock_timestamp(), clock_timestamp(), clock_timestamp() FROM changed AS c WHERE c.last IS DISTINCT FROM 'unpublish'"
        " ON CONFLICT (instance, target, source, key) DO UPDATE SET event_id = excluded.event_id, operation = excluded.operation, verb = NULL,"
        " status = excluded.status, attempts = 0, last_error = NULL, created_at = excluded.created_at, updated_at = excluded.updated_at,"
        " next_attempt_at = excluded.next_attempt_at, expires_at = NULL WHERE x.status IN ('EXPIRED', 'DISCARDED') RETURNING 1)"
        " SELECT count(*) FROM marked",
        {instance, target, since, outbox::event_id(xid, outbox::hand_made, first).substr(0, 22), but});
    return std::stoll(count.value_or("0"));
}

/// To syncs that are told of every event: what they were told, in that order; how many events.
std::int64_t tell_again(const std::string &instance, const std::string &target, const std::string &since, const std::string &tables)
{
    if (tables == "{}")
        return 0;
    const pg::ActingAs owner{pg::extension_owner(), false};
    // No event of an entity is told together with another one of it, so that the times put them in order.
    const auto count = pg::execute_one(
        "WITH events AS (SELECT h.* FROM autosync.history_0 AS h UNION ALL SELECT h.* FROM autosync.history_1 AS h UNION ALL SELECT h.* FROM autosync.history_2 AS h),"
        " again AS (SELECT DISTINCT ON (e.event_id) e.source, coalesce(e.key, '') AS key, e.event_id, e.operation, e.payload, e.correlation_id, e.origin, e.created_at, e.completed_at"
        " FROM events AS e WHERE e.instance = $1::int8 AND e.target = $2 AND e.source = ANY ($4::oid[]) AND e.created_at >= $3::timestamptz AND e.status = 'COMPLETED'"
        " AND e.operation IN ('insert', 'update', 'delete', 'truncate', 'emit') ORDER BY e.event_id, e.completed_at),"
        " noted AS (INSERT INTO autosync.behind (instance, target, source, key, event_id, operation, payload, correlation_id, origin, created_at)"
        " SELECT $1::int8, $2::name, a.source, a.key, a.event_id, a.operation, a.payload, a.correlation_id, a.origin, a.created_at FROM again AS a"
        " ORDER BY a.completed_at, a.event_id ON CONFLICT DO NOTHING RETURNING 1) SELECT count(*) FROM noted",
        {instance, target, since, tables});
    (void) outbox::let_on(std::stoll(instance), target);
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
    const std::string tables = operate::told_tables(target);
    auto count = operate::tell_again(instance, target, since, tables);
    const pg::ActingAs owner{pg::extension_owner(), false};
    count += operate::mark(instance, target, since, tables);
    if (count > 0)
        capture::wake_at_commit();
    PG_RETURN_INT64(count);
}
