#include "outbox/behind.hpp"

#include "outbox/given_up.hpp"
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

bool let_on(std::int64_t instance, const std::string &target)
{
    retire_for_behind(instance, target);
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
