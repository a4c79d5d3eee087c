#include "outbox/behind.hpp"

#include "outbox/history.hpp"
#include "outbox/members.hpp"
#include "pg/spi.hpp"

namespace autosync::outbox {

void note_behind(std::int64_t instance, const std::string &target, const std::vector<Behind> &events)
{
    if (events.empty())
        return;
    const auto list = array_of(events, [](std::string &out, const Behind &event) {
        append_exact(out, "source", std::to_string(event.source));
        append_exact(out, "key", event.key);
        append_exact(out, "event_id", event.event_id);
        append_exact(out, "operation", event.operation);
        append_exact(out, "payload", event.payload);
        append_exact(out, "correlation_id", event.correlation_id);
        append_exact(out, "origin", event.origin);
        append_exact(out, "captured_at", std::to_string(event.captured_at));
    });
    // After a crash the log is read again from before what was written down.
    pg::execute("INSERT INTO autosync.behind (instance, target, source, key, event_id, operation, payload, correlation_id, origin, created_at)"
                " SELECT $1::int8, $2::name, e.source, e.key, e.event_id, e.operation, nullif(e.payload, ''), nullif(e.correlation_id, ''), nullif(e.origin, ''),"
                " timestamptz '2000-01-01 00:00:00+00' + e.captured_at * interval '1 microsecond'"
                " FROM ROWS FROM (jsonb_to_recordset($3::jsonb) AS (source oid, key text, event_id text, operation text, payload text, correlation_id text,"
                " origin text, captured_at int8)) WITH ORDINALITY AS e (source, key, event_id, operation, payload, correlation_id, origin, captured_at, place)"
                " WHERE NOT EXISTS (SELECT FROM autosync.exceptions AS x WHERE x.instance = $1::int8 AND x.target = $2::name AND x.source = e.source"
                " AND x.key = e.key AND x.event_id = e.event_id)"
                " ORDER BY e.place ON CONFLICT DO NOTHING",
                {std::to_string(instance), target, list});
}

std::set<std::pair<Oid, std::string>> held_among(std::int64_t instance, const std::string &target, const std::set<std::pair<Oid, std::string>> &entities)
{
    std::set<std::pair<Oid, std::string>> held;
    const std::string id = std::to_string(instance);
    if (entities.empty() || !pg::execute_one("SELECT 1 FROM autosync.exceptions WHERE instance = $1::int8 AND target = $2::name LIMIT 1", {id, target}))
        return held;
    const auto list = array_of(entities, [](std::string &out, const auto &entity) {
        append_exact(out, "source", std::to_string(entity.first));
        append_exact(out, "key", entity.second);
    });
    for (const auto &row : pg::execute("SELECT e.source, e.key FROM jsonb_to_recordset($3::jsonb) AS e (source oid, key text)"
                                       " WHERE EXISTS (SELECT FROM autosync.exceptions AS x WHERE x.instance = $1::int8 AND x.target = $2::name AND x.source = e.source"
                                       " AND x.key = e.key AND x.status NOT IN ('EXPIRED', 'DISCARDED'))"
                                       " OR EXISTS (SELECT FROM autosync.behind AS b WHERE b.instance = $1::int8 AND b.target = $2::name AND b.source = e.source"
                                       " AND b.key = e.key)",
                                       {id, target, list}))
        held.emplace(static_cast<Oid>(std::stoul(row[0].value_or("0"))), row[1].value_or(""));
    return held;
}

namespace {

/// What was given up makes room for what comes behind it, and is history.
void keep_given_up(std::int64_t instance, const std::string &target)
{
    std::vector<Ended> ended;
    for (const auto &row : pg::execute("DELETE FROM autosync.exceptions WHERE ctid = ANY (ARRAY(SELECT x.ctid FROM autosync.exceptions AS x WHERE x.instance = $1::int8"
                                       " AND x.target = $2::name AND x.status IN ('EXPIRED', 'DISCARDED') AND EXISTS (SELECT FROM autosync.behind AS b"
                                       " WHERE b.instance = x.instance AND b.target = x.target AND b.source = x.source AND b.key = x.key) FOR UPDATE SKIP LOCKED))"
                                       " RETURNING source, key, event_id, operation, status, attempts, last_error, correlation_id, origin,"
                                       " (extract(epoch FROM created_at) * 1000000)::int8 - 946684800000000, payload",
                                       {std::to_string(instance), target})) {
        auto &event = ended.emplace_back();
        event.source = static_cast<Oid>(std::stoul(row[0].value_or("0")));
        event.key = row[1].value_or("");
        event.event_id = row[2].value_or("");
        event.operation = row[3].value_or("");
        event.status = row[4].value_or("");
        event.attempts = std::stoi(row[5].value_or("0"));
        event.last_error = row[6].value_or("");
        event.correlation_id = row[7].value_or("");
        event.origin = row[8].value_or("");
        event.created_at = std::stoll(row[9].value_or("0"));
        event.payload = row[10].value_or("");
        event.completed_at = GetCurrentTimestamp();
    }
    append_history(instance, target, ended);
}

} // namespace

bool let_on(std::int64_t instance, const std::string &target)
{
    keep_given_up(instance, target);
    return !pg::execute("WITH next AS (SELECT DISTINCT ON (b.source, b.key) b.source, b.key, b.place FROM autosync.behind AS b WHERE b.instance = $1::int8 AND b.target = $2::name"
                " AND NOT EXISTS (SELECT FROM autosync.exceptions AS x WHERE x.instance = b.instance AND x.target = b.target AND x.source = b.source AND x.key = b.key"
                " AND x.status NOT IN ('EXPIRED', 'DISCARDED')) ORDER BY b.source, b.key, b.place),"
                " gone AS (DELETE FROM autosync.behind AS b USING next AS n WHERE b.instance = $1::int8 AND b.target = $2::name AND b.source = n.source"
                " AND b.key = n.key AND b.place = n.place RETURNING b.*)"
                " INSERT INTO autosync.exceptions AS x (instance, target, source, key, event_id, operation, status, attempts, payload, correlation_id, origin, created_at,"
                " updated_at, next_attempt_at)"
                " SELECT g.instance, g.target, g.source, g.key, g.event_id, g.operation, 'PENDING', 0, g.payload, g.correlation_id, g.origin, g.created_at,"
                " clock_timestamp(), clock_timestamp() FROM gone AS g"
                " ON CONFLICT (instance, target, source, key) DO UPDATE SET event_id = excluded.event_id, operation = excluded.operation, verb = NULL,"
                " status = excluded.status, attempts = 0, last_error = NULL, request = NULL, answer = NULL, payload = excluded.payload,"
                " correlation_id = excluded.correlation_id, origin = excluded.origin, created_at = excluded.created_at, updated_at = excluded.updated_at,"
                " next_attempt_at = excluded.next_attempt_at, expires_at = NULL RETURNING 1",
                {std::to_string(instance), target})
                .empty();
}

} // namespace autosync::outbox
