#include "outbox/waiting.hpp"

#include <nlohmann/json.hpp>

#include "outbox/notices.hpp"
#include "pg/spi.hpp"

namespace autosync::outbox {

void note_waiting(std::int64_t instance, const std::string &target, const std::vector<Waiting> &entities, const Patience &patience, const std::string &telling)
{
    auto list = nlohmann::json::array();
    for (const auto &each : entities)
        list.push_back({{"source", each.source},
                        {"key", each.key},
                        {"event_id", each.event_id.empty() ? "backfill-" + std::to_string(each.source) + "-" + each.key : each.event_id},
                        {"operation", each.operation},
                        {"last_error", each.message},
                        {"did", each.did},
                        {"authentication", each.authentication},
                        {"parent", each.parent ? nlohmann::json(each.parent->first) : nlohmann::json()},
                        {"parent_key", each.parent ? nlohmann::json(each.parent->second) : nlohmann::json()},
                        {"delay", each.parent ? patience.time.count() : each.delay.count()}});
    // Time is counted from when the entity began to wait, not from its last change.
    const std::string same_parent = "((x.parent, x.parent_key) IS NOT DISTINCT FROM (excluded.parent, excluded.parent_key) AND x.parent IS NOT NULL"
                                    " AND x.status = 'PENDING' AND x.expires_at IS NOT NULL)";
    pg::execute(
        "WITH noted AS (INSERT INTO autosync.exceptions AS x (instance, target, source, key, event_id, operation, status, attempts, last_error, did, created_at, updated_at,"
        " next_attempt_at, expires_at, parent, parent_key)"
        " SELECT $1::int8, $2::name, w.source, w.key, w.event_id, w.operation, CASE WHEN NOT w.authentication THEN 'PENDING' WHEN $4::bool THEN 'WAITING_AUTH'"
        " ELSE 'FAILED' END, 0, w.last_error, w.did, clock_timestamp(), clock_timestamp(),"
        " CASE WHEN NOT w.authentication THEN clock_timestamp() + w.delay * interval '1 millisecond' END,"
        " CASE WHEN w.authentication OR w.parent IS NOT NULL THEN clock_timestamp() + $5::float8 * interval '1 millisecond' END, w.parent, w.parent_key"
        " FROM jsonb_to_recordset($3::jsonb) AS w (source oid, key text, event_id text, operation text, last_error text, did text, authentication bool,"
        " delay float8, parent oid, parent_key text)"
        " ON CONFLICT (instance, target, source, key) DO UPDATE SET event_id = excluded.event_id, operation = excluded.operation,"
        " status = CASE WHEN " + same_parent + " AND x.expires_at <= clock_timestamp() THEN 'FAILED' WHEN excluded.status = 'WAITING_AUTH' AND x.did = excluded.did AND x.attempts + 1 >= $6::int4"
        " AND x.status = 'RETRYING' THEN 'FAILED' ELSE excluded.status END,"
        " attempts = CASE WHEN x.did IS DISTINCT FROM excluded.did THEN 0 WHEN excluded.status <> 'PENDING' AND x.status = 'RETRYING' THEN x.attempts + 1 ELSE x.attempts END,"
        " last_error = excluded.last_error, did = excluded.did, updated_at = excluded.updated_at,"
        " next_attempt_at = CASE WHEN NOT " + same_parent + " THEN excluded.next_attempt_at WHEN x.expires_at > clock_timestamp() THEN x.expires_at END,"
        " expires_at = CASE WHEN x.did = excluded.did AND (x.parent, x.parent_key) IS NOT DISTINCT FROM (excluded.parent, excluded.parent_key)"
        " AND x.status <> 'FAILED' THEN coalesce(x.expires_at, excluded.expires_at) ELSE excluded.expires_at END,"
        " parent = excluded.parent, parent_key = excluded.parent_key,"
        " verb = CASE WHEN x.event_id = excluded.event_id THEN x.verb END"
        " WHERE x.verb IS NULL OR x.event_id = excluded.event_id OR x.status NOT IN ('PENDING', 'RETRYING')"
        " RETURNING target, source, key, did, operation, status, attempts, last_error)" +
            // A change that only takes the place of one that waits already has attempts too, but is told again: it is another operation.
            tell("noted",
                 "CASE WHEN r.status = 'FAILED' THEN 'pending_sync_failed' WHEN r.status <> 'WAITING_AUTH' THEN NULL WHEN r.attempts > 0 THEN 'pending_sync_retried'"
                 " ELSE 'pending_sync_captured' END",
                 ", 'did', r.did, 'operation', r.operation, 'success', CASE WHEN r.attempts > 0 THEN false END, 'error', r.last_error", "$7"),
        {std::to_string(instance), target, list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), patience.kept ? "t" : "f",
         std::to_string(patience.time.count()), std::to_string(patience.attempts), telling});
}

void tell_retried(std::int64_t instance, const std::string &target, const std::vector<Arrived> &entities, const std::string &telling)
{
    if (entities.empty() || telling == "{}")
        return;
    auto list = nlohmann::json::array();
    for (const auto &each : entities)
        list.push_back({{"source", each.source}, {"key", each.key}});
    pg::execute("WITH arrived AS (SELECT x.target, x.source, x.key, x.did, x.operation FROM autosync.exceptions AS x"
                " JOIN jsonb_to_recordset($3::jsonb) AS e (source oid, key text) ON x.source::oid = e.source AND x.key = e.key"
                " WHERE x.instance = $1::int8 AND x.target = $2::name AND x.did IS NOT NULL AND x.expires_at IS NOT NULL AND x.status IN ('RETRYING', 'WAITING_AUTH'))" +
                    tell("arrived", "'pending_sync_retried'", ", 'did', r.did, 'operation', r.operation, 'success', true", "$4"),
                {std::to_string(instance), target, list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), telling});
}

void end_waiting(std::int64_t instance, const std::string &target, const std::string &did)
{
    pg::execute("UPDATE autosync.exceptions SET status = 'RETRYING', next_attempt_at = clock_timestamp(), updated_at = clock_timestamp()"
                " WHERE instance = $1::int8 AND target = $2::name AND did = $3 AND status = 'WAITING_AUTH'",
                {std::to_string(instance), target, did});
}

void hasten(std::int64_t instance, const std::string &target, const std::string &did)
{
    pg::execute("UPDATE autosync.exceptions SET next_attempt_at = clock_timestamp(), updated_at = clock_timestamp()"
                " WHERE instance = $1::int8 AND target = $2::name AND did = $3 AND status = 'PENDING' AND parent IS NULL",
                {std::to_string(instance), target, did});
}

std::int64_t retry_waiting(std::int64_t instance, Oid role, const std::string &did)
{
    const auto count = pg::execute_one("WITH again AS (UPDATE autosync.exceptions AS x SET status = 'RETRYING', next_attempt_at = clock_timestamp(),"
                                       " updated_at = clock_timestamp() WHERE x.instance = $1::int8 AND x.did = $3 AND x.status = 'WAITING_AUTH'"
                                       " AND (SELECT pg_has_role($2::oid, c.relowner, 'USAGE') FROM pg_class AS c WHERE c.oid = x.source)"
                                       " AND EXISTS (SELECT FROM autosync.atp_store AS s WHERE s.instance = x.instance AND s.target = x.target AND s.did = x.did"
                                       " AND s.status <> 'revoked') RETURNING 1) SELECT count(*) FROM again",
                                       {std::to_string(instance), std::to_string(role), did});
    return count ? std::stoll(*count) : 0;
}

void explain_waiting(std::int64_t instance, const std::string &target, const std::string &did, const std::string &why)
{
    pg::execute("UPDATE autosync.exceptions SET last_error = $4, updated_at = clock_timestamp()"
                " WHERE instance = $1::int8 AND target = $2::name AND did = $3 AND status = 'WAITING_AUTH'",
                {std::to_string(instance), target, did, why});
}

void wake_waiting(std::int64_t instance, const std::string &target)
{
    pg::execute("UPDATE autosync.exceptions AS x SET status = 'RETRYING', next_attempt_at = clock_timestamp(), updated_at = clock_timestamp()"
                " FROM autosync.atp_store AS s WHERE x.instance = $1::int8 AND x.target = $2::name AND x.status = 'WAITING_AUTH'"
                " AND s.instance = x.instance AND s.target = x.target AND s.did = x.did AND s.status = 'active'",
                {std::to_string(instance), target});
}

void expire_waiting(std::int64_t instance, const std::string &target, const std::string &telling)
{
    pg::execute(
        "WITH expired AS (UPDATE autosync.exceptions SET status = 'EXPIRED', next_attempt_at = NULL, updated_at = clock_timestamp()"
        " WHERE instance = $1::int8 AND target = $2::name AND status = 'WAITING_AUTH' AND expires_at <= clock_timestamp()"
        " RETURNING target, source, key, did, operation, last_error)" +
            tell("expired", "'pending_sync_failed'", ", 'did', r.did, 'operation', r.operation, 'error', 'it has waited for too long: ' || r.last_error", "$3"),
        {std::to_string(instance), target, telling});
}

} // namespace autosync::outbox
