#include "outbox/given_up.hpp"

#include "outbox/history.hpp"

namespace autosync::outbox {

namespace {

void keep(std::int64_t instance, const std::string &target, const std::vector<std::vector<pg::Cell>> &rows)
{
    std::vector<Ended> ended;
    for (const auto &row : rows) {
        if (!is_event(row))
            continue;
        ended.push_back(ended_of(row));
        ended.back().completed_at = GetCurrentTimestamp();
    }
    append_history(instance, target, ended);
}

} // namespace

const char *const ended_columns = "x.source, x.key, x.event_id, x.operation, x.status, x.attempts, x.last_error, x.correlation_id, x.origin,"
                                  " (extract(epoch FROM x.created_at) * 1000000)::int8 - 946684800000000, x.payload, x.verb";

Ended ended_of(const std::vector<pg::Cell> &row)
{
    Ended event;
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
    return event;
}

bool is_event(const std::vector<pg::Cell> &row) { return row[11] != "confirm" && row[3] != "backfill" && row[3] != "sweep"; }

void retire(std::int64_t instance, const std::string &target, const std::string &events)
{
    keep(instance, target,
         pg::execute("DELETE FROM autosync.exceptions AS x USING jsonb_to_recordset($3::jsonb) AS e (source oid, key text, event_id text)"
                     " WHERE x.instance = $1::int8 AND x.target = $2::name AND x.source = e.source AND x.key = e.key"
                     " AND x.status IN ('EXPIRED', 'DISCARDED') AND x.event_id < e.event_id" // else it is read again after a crash
                     " RETURNING " + std::string{ended_columns},
                     {std::to_string(instance), target, events}));
}

void retire_for_behind(std::int64_t instance, const std::string &target)
{
    keep(instance, target,
         pg::execute("DELETE FROM autosync.exceptions AS x WHERE x.ctid = ANY (ARRAY(SELECT x.ctid FROM autosync.exceptions AS x WHERE x.instance = $1::int8"
                     " AND x.target = $2::name AND x.status IN ('EXPIRED', 'DISCARDED') AND EXISTS (SELECT FROM autosync.behind AS b"
                     " WHERE b.instance = x.instance AND b.target = x.target AND b.source = x.source AND b.key = x.key) FOR UPDATE SKIP LOCKED))"
                     " RETURNING " + std::string{ended_columns},
                     {std::to_string(instance), target}));
}

} // namespace autosync::outbox
