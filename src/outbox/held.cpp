#include "outbox/held.hpp"

#include "outbox/members.hpp"
#include "pg/spi.hpp"

namespace autosync::outbox {

namespace {

void append(std::string &out, const HeldBack &change)
{
    append_field(out, "source", std::to_string(change.source));
    append_exact(out, "key", change.key);
    append_exact(out, "event_id", change.event_id);
    append_field(out, "operation", change.operation);
    append_field(out, "captured_at", std::to_string(change.captured_at));
    append_field(out, "gather", std::to_string(change.gather.count()));
}

constexpr const char *statement =
    "INSERT INTO autosync.exceptions AS x (instance, target, source, key, event_id, operation, status, attempts, created_at, updated_at, next_attempt_at)"
    " SELECT $1::int8, $2::name, h.source, h.key, h.event_id, h.operation, 'PENDING', 0, h.at, clock_timestamp(), h.at + h.gather * interval '1 millisecond'"
    " FROM (SELECT r.*, to_timestamp((r.captured_at + 946684800000000) / 1000000.0) AS at FROM jsonb_to_recordset($3::jsonb)"
    " AS r (source oid, key text, event_id text, operation text, captured_at int8, gather float8)) AS h"
    " ON CONFLICT (instance, target, source, key) DO UPDATE SET event_id = excluded.event_id, updated_at = excluded.updated_at, verb = NULL,"
    // A key that was given up in between is to be removed if it is absent in the end.
    " operation = CASE WHEN 'delete' IN (x.operation, excluded.operation) AND x.status IN ('PENDING', 'RETRYING', 'WAITING_AUTH') THEN 'delete' ELSE excluded.operation END,"
    " status = CASE WHEN x.status IN ('PENDING', 'RETRYING', 'WAITING_AUTH') AND x.verb IS NULL THEN x.status ELSE 'PENDING' END,"
    " attempts = CASE WHEN x.status IN ('RETRYING', 'WAITING_AUTH') THEN x.attempts ELSE 0 END,"
    " last_error = CASE WHEN x.status IN ('RETRYING', 'WAITING_AUTH') THEN x.last_error END,"
    " created_at = CASE WHEN x.status IN ('PENDING', 'RETRYING', 'WAITING_AUTH') THEN least(x.created_at, excluded.created_at) ELSE excluded.created_at END,"
    // An unanswered request may still be applied: what comes after it comes late enough.
    " next_attempt_at = CASE WHEN x.verb = 'confirm' THEN greatest(x.next_attempt_at, excluded.next_attempt_at)"
    " WHEN x.status IN ('PENDING', 'RETRYING', 'WAITING_AUTH') THEN least(x.next_attempt_at, excluded.next_attempt_at) ELSE excluded.next_attempt_at END"
    " WHERE coalesce(x.verb, 'confirm') = 'confirm' OR x.status NOT IN ('PENDING', 'RETRYING')"
    " RETURNING x.source, x.key";

} // namespace

std::set<Oid> note_held(std::int64_t instance, const std::string &target, const std::vector<HeldBack> &changes)
{
    std::set<Oid> undecided;
    if (changes.empty())
        return undecided;
    const auto list = array_of(changes, append);
    std::set<std::pair<Oid, std::string>> open;
    for (const auto &change : changes)
        open.emplace(change.source, change.key);
    try {
        pg::subtransaction([&] {
            for (const auto &row : pg::execute(statement, {std::to_string(instance), target, list}))
                open.erase({static_cast<Oid>(std::stoul(row[0].value_or("0"))), row[1].value_or("")});
        });
    } catch (const pg::Error &error) {
        if (error.sqlstate() != ERRCODE_LOCK_NOT_AVAILABLE)
            throw;
    }
    for (const auto &[source, key] : open)
        undecided.insert(source);
    return undecided;
}

} // namespace autosync::outbox
