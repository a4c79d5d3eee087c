#include "outbox/exceptions.hpp"

#include <functional>
#include <utility>

#include "outbox/early.hpp"
#include "outbox/given_up.hpp"
#include "outbox/members.hpp"
#include "outbox/notices.hpp"
#include "pg/spi.hpp"

namespace autosync::outbox {

namespace {

void append(std::string &out, const Refusal &refusal)
{
    append_field(out, "source", std::to_string(refusal.source));
    append_exact(out, "key", refusal.key);
    append_exact(out, "event_id", refusal.event_id);
    append_field(out, "operation", refusal.operation);
    append_field(out, "last_error", refusal.message);
    append_field(out, "request", refusal.request);
    append_field(out, "answer", refusal.answer);
    append_field(out, "attempts", std::to_string(refusal.attempts));
    append_field(out, "status", refusal.given_up ? "FAILED" : "RETRYING");
    append_field(out, "delay", std::to_string(refusal.delay.count()));
    append_field(out, "captured_at", std::to_string(refusal.captured_at));
    append_exact(out, "payload", refusal.payload);
    append_exact(out, "correlation_id", refusal.correlation_id);
    append_exact(out, "origin", refusal.origin);
}

void append(std::string &out, const Doubt &doubt)
{
    append_field(out, "source", std::to_string(doubt.source));
    append_exact(out, "key", doubt.key);
    append_field(out, "operation", doubt.operation);
    append_field(out, "status", doubt.open ? "RETRYING" : "PENDING");
}

void append(std::string &out, const Expired &expired)
{
    append_field(out, "source", std::to_string(expired.source));
    append_exact(out, "key", expired.key);
    append_exact(out, "event_id", expired.event_id);
    append_field(out, "operation", expired.operation);
    append_field(out, "captured_at", std::to_string(expired.captured_at));
    append_exact(out, "payload", expired.payload);
    append_exact(out, "correlation_id", expired.correlation_id);
    append_exact(out, "origin", expired.origin);
}

template <typename Note> std::string list_of(const std::vector<Note> &notes)
{
    return array_of(notes, [](std::string &out, const Note &note) { append(out, note); });
}

/// Of these entities, those whose rows another transaction has locked: retry() and discard() may be part of a long one.
std::set<std::pair<Oid, std::string>> locked_rows(std::int64_t instance, const std::string &target, std::string entities)
{
    std::set<std::pair<Oid, std::string>> locked;
    for (const auto &row : pg::execute("WITH known AS (SELECT x.source, x.key FROM autosync.exceptions AS x"
                                       " JOIN jsonb_to_recordset($3::jsonb) AS r (source oid, key text) USING (source, key)"
                                       " WHERE x.instance = $1::int8 AND x.target = $2::name), free AS MATERIALIZED (SELECT x.source, x.key"
                                       " FROM autosync.exceptions AS x JOIN known USING (source, key)"
                                       " WHERE x.instance = $1::int8 AND x.target = $2::name FOR UPDATE OF x SKIP LOCKED)"
                                       " SELECT source, key FROM known EXCEPT SELECT source, key FROM free",
                                       {std::to_string(instance), target, std::move(entities)}))
        locked.emplace(static_cast<Oid>(std::stoul(row[0].value_or("0"))), row[1].value_or(""));
    return locked;
}

/// Writes those whose rows nobody else is deciding on, without waiting; which tables the others are of.
template <typename Note>
std::set<Oid> note_free(std::int64_t instance, const std::string &target, const std::vector<Note> &notes, const std::function<void(std::string list)> &write)
{
    std::set<Oid> undecided;
    const auto locked = locked_rows(instance, target, list_of(notes));
    std::vector<Note> free;
    for (const auto &note : notes) {
        if (locked.contains({note.source, note.key}))
            undecided.insert(note.source);
        else
            free.push_back(note);
    }
    try {
        if (!free.empty())
            pg::subtransaction([&] { write(list_of(free)); });
    } catch (const pg::Error &error) {
        if (error.sqlstate() != ERRCODE_LOCK_NOT_AVAILABLE)
            throw;
        for (const auto &note : free) // marked by hand this moment
            undecided.insert(note.source);
    }
    return undecided;
}

/// Of what is given up, the first are told one by one and the others as a number: a storm of failures is no storm of notifications.
std::string tell_failures(const std::string &rows)
{
    constexpr auto most = "100";
    const std::string failed = "(SELECT f.*, row_number() OVER (ORDER BY f.source, f.key) AS place FROM " + rows + " AS f WHERE f.status = 'FAILED' AND f.source::oid = ANY ($4::oid[]))";
    return tell("(SELECT * FROM " + failed + " AS f WHERE f.place <= " + most + ")", "'event_failed'", ", 'event_id', r.event_id", "$4") + " UNION ALL" +
           tell("(SELECT target, source, NULL::text AS key, count(*) AS more FROM " + failed + " AS f WHERE f.place > " + most + " GROUP BY target, source)", "'event_failed'",
                ", 'more', r.more", "$4");
}

void write_refusals(std::int64_t instance, const std::string &target, std::string list, const std::string &telling)
{
    pg::execute("WITH noted AS (INSERT INTO autosync.exceptions AS x (instance, target, source, key, event_id, operation, status, attempts, last_error, request, answer,"
                " payload, correlation_id, origin, created_at, updated_at, next_attempt_at)"
                " SELECT $1::int8, $2::name, r.source, r.key, r.event_id, r.operation, r.status, r.attempts, r.last_error, nullif(r.request, ''),"
                " nullif(r.answer, ''), nullif(r.payload, ''), nullif(r.correlation_id, ''), nullif(r.origin, ''), coalesce(timestamptz '2000-01-01 00:00:00+00' + nullif(r.captured_at, 0) * interval '1 microsecond',"
                " clock_timestamp()), clock_timestamp(),"
                " CASE r.status WHEN 'RETRYING' THEN clock_timestamp() + r.delay * interval '1 millisecond' END"
                " FROM jsonb_to_recordset($3::jsonb) AS r (source oid, key text, event_id text, operation text, status text, attempts int4, last_error text,"
                " request text, answer text, delay float8, captured_at int8, payload text, correlation_id text, origin text)"
                " ON CONFLICT (instance, target, source, key) DO UPDATE SET payload = coalesce(excluded.payload, CASE WHEN x.event_id = excluded.event_id THEN x.payload END),"
                " event_id = excluded.event_id, operation = excluded.operation,"
                " status = excluded.status, attempts = excluded.attempts, last_error = excluded.last_error, request = excluded.request, parent = NULL, parent_key = NULL,"
                " answer = excluded.answer, updated_at = excluded.updated_at, next_attempt_at = excluded.next_attempt_at,"
                " expires_at = CASE WHEN x.status <> 'EXPIRED' THEN x.expires_at END,"
                " created_at = CASE WHEN x.event_id = excluded.event_id THEN x.created_at ELSE excluded.created_at END,"
                " verb = CASE WHEN x.event_id = excluded.event_id THEN nullif(x.verb, 'confirm') END"
                // A mark made by hand meanwhile: what it asks for comes next, and tells by itself when it is refused.
                // That of an early send asks for nothing when its transaction commits.
                " WHERE x.verb IS NULL OR x.event_id = excluded.event_id OR x.status NOT IN ('PENDING', 'RETRYING') OR starts_with(x.event_id, '" + std::string{early_prefix} + "')"
                " RETURNING x.target, x.source, x.key, x.event_id, x.status)" + tell_failures("noted"),
                {std::to_string(instance), target, std::move(list), telling});
}

void write_doubts(std::int64_t instance, const std::string &target, std::string list, std::chrono::milliseconds delay)
{
    // Of its own event id, also when there is a mark already: what is on its way for that one does not end this doubt.
    pg::execute("INSERT INTO autosync.exceptions AS x (instance, target, source, key, event_id, operation, verb, status, attempts, created_at, updated_at,"
                " next_attempt_at)"
                " SELECT $1::int8, $2::name, d.source, d.key, 'confirm-' || d.source || '-' || d.key || '-' || clock_timestamp(), d.operation, 'confirm',"
                " d.status, 0, clock_timestamp(), clock_timestamp(), clock_timestamp() + $4::float8 * interval '1 millisecond'"
                " FROM jsonb_to_recordset($3::jsonb) AS d (source oid, key text, operation text, status text)"
                " ON CONFLICT (instance, target, source, key) DO UPDATE SET event_id = excluded.event_id, operation = excluded.operation, verb = 'confirm',"
                " status = excluded.status, next_attempt_at = excluded.next_attempt_at, updated_at = excluded.updated_at, parent = NULL, parent_key = NULL"
                " WHERE coalesce(x.verb, 'confirm') = 'confirm' OR x.status NOT IN ('PENDING', 'RETRYING')",
                {std::to_string(instance), target, std::move(list), std::to_string(delay.count())});
}

constexpr const char *too_old = "not delivered within event_ttl";

void write_expired(std::int64_t instance, const std::string &target, std::string list)
{
    pg::execute("INSERT INTO autosync.exceptions AS x (instance, target, source, key, event_id, operation, status, attempts, last_error, payload, correlation_id, origin,"
                " created_at, updated_at, expires_at)"
                " SELECT $1::int8, $2::name, e.source, e.key, e.event_id, e.operation, 'EXPIRED', 0, $4, nullif(e.payload, ''), nullif(e.correlation_id, ''), nullif(e.origin, ''),"
                " timestamptz '2000-01-01 00:00:00+00' + e.captured_at * interval '1 microsecond', clock_timestamp(), clock_timestamp()"
                " FROM jsonb_to_recordset($3::jsonb) AS e (source oid, key text, event_id text, operation text, captured_at int8, payload text, correlation_id text, origin text)"
                " ON CONFLICT (instance, target, source, key) DO UPDATE SET event_id = excluded.event_id, operation = excluded.operation,"
                " status = excluded.status, attempts = excluded.attempts, last_error = excluded.last_error, request = NULL, answer = NULL, verb = NULL,"
                " payload = excluded.payload, correlation_id = excluded.correlation_id, origin = excluded.origin,"
                " created_at = excluded.created_at, updated_at = excluded.updated_at, expires_at = excluded.expires_at, next_attempt_at = NULL"
                " WHERE x.status IN ('EXPIRED', 'DISCARDED')",
                {std::to_string(instance), target, std::move(list), too_old});
}

} // namespace

std::vector<Due> take_due(std::int64_t instance, const std::string &target, std::size_t limit)
{
    const auto rows = pg::execute("SELECT source, key, event_id, operation, coalesce(verb, ''), attempts, payload, correlation_id, origin,"
                                  " (extract(epoch FROM created_at) * 1000000)::int8 - 946684800000000 FROM autosync.exceptions"
                                  " WHERE instance = $1::int8 AND target = $2::name AND status IN ('PENDING', 'RETRYING')"
                                  " AND coalesce(next_attempt_at, '-infinity') <= clock_timestamp()"
                                  " ORDER BY source, key LIMIT $3::int8 FOR UPDATE SKIP LOCKED", // what is being decided on comes when that has committed
                                  {std::to_string(instance), target, std::to_string(limit)});
    std::vector<Due> due;
    due.reserve(rows.size());
    for (const auto &row : rows)
        due.push_back({static_cast<Oid>(std::stoul(row[0].value_or("0"))), row[1].value_or(""), row[2].value_or(""), row[3].value_or(""), row[4].value_or(""),
                       std::stoi(row[5].value_or("0")), row[6].value_or(""), row[7].value_or(""), row[8].value_or(""), std::stoll(row[9].value_or("0"))});
    return due;
}

std::set<Oid> note_refusals(std::int64_t instance, const std::string &target, const std::vector<Refusal> &refusals, const std::string &telling)
{
    return note_free(instance, target, refusals, [&](std::string list) {
        retire(instance, target, list);
        write_refusals(instance, target, std::move(list), telling);
    });
}

std::vector<Ended> clear_exceptions(std::int64_t instance, const std::string &target, const std::vector<Arrived> &entities)
{
    auto list = array_of(entities, [](std::string &out, const Arrived &entity) {
        append_field(out, "source", std::to_string(entity.source));
        append_exact(out, "key", entity.key);
        append_exact(out, "event_id", entity.event_id);
        append_field(out, "captured_at", std::to_string(entity.captured_at));
    });
    // An event id begins with its transaction: what a transaction marks by hand goes before what it changes.
    const auto gone =
        pg::execute("DELETE FROM autosync.exceptions AS x USING (SELECT m.source, m.key FROM autosync.exceptions AS m"
                " JOIN jsonb_to_recordset($3::jsonb) AS e (source oid, key text, event_id text, captured_at int8) USING (source, key)"
                " WHERE m.instance = $1::int8 AND m.target = $2::name"
                " AND (m.verb IS NULL OR m.status NOT IN ('PENDING', 'RETRYING') OR m.event_id = e.event_id"
                " OR (m.verb <> 'confirm' AND left(m.event_id, 16) <> left(e.event_id, 16)"
                " AND e.captured_at > extract(epoch FROM m.created_at) * 1000000 - 946684800000000))"
                " FOR UPDATE OF m SKIP LOCKED) AS gone"
                " WHERE x.instance = $1::int8 AND x.target = $2::name AND x.source = gone.source AND x.key = gone.key"
                " RETURNING " + std::string{ended_columns},
                {std::to_string(instance), target, std::move(list)});
    std::vector<Ended> ended;
    for (const auto &row : gone) {
        if (!is_event(row))
            continue;
        auto &event = ended.emplace_back(ended_of(row));
        if (event.status != "EXPIRED" && event.status != "DISCARDED") // else it has ended before
            event.status = "COMPLETED"; // a newer state has arrived
    }
    return ended;
}

std::set<Oid> note_doubts(std::int64_t instance, const std::string &target, const std::vector<Doubt> &doubts, std::chrono::milliseconds delay)
{
    return note_free(instance, target, doubts, [&](std::string list) { write_doubts(instance, target, std::move(list), delay); });
}

std::set<Oid> note_expired(std::int64_t instance, const std::string &target, const std::vector<Expired> &changes)
{
    return note_free(instance, target, changes, [&](std::string list) {
        retire(instance, target, list);
        write_expired(instance, target, std::move(list));
    });
}

std::vector<std::string> expire_marks(std::int64_t instance, const std::string &target, Oid source, std::chrono::milliseconds ttl)
{
    std::vector<std::string> keys;
    for (auto &row : pg::execute("UPDATE autosync.exceptions SET status = 'EXPIRED', next_attempt_at = NULL, updated_at = clock_timestamp(),"
                                 " expires_at = created_at + $4::float8 * interval '1 millisecond', last_error = concat_ws(': ', $5, last_error)"
                                 " WHERE ctid = ANY (ARRAY(SELECT ctid FROM autosync.exceptions WHERE instance = $1::int8 AND target = $2::name"
                                 " AND source = $3::oid AND status IN ('PENDING', 'RETRYING') AND verb IS DISTINCT FROM 'confirm'"
                                 " AND created_at < clock_timestamp() - $4::float8 * interval '1 millisecond' FOR UPDATE SKIP LOCKED)) RETURNING key",
                                 {std::to_string(instance), target, std::to_string(source), std::to_string(ttl.count()), too_old}))
        keys.push_back(row[0].value_or(""));
    return keys;
}

void postpone(std::int64_t instance, const std::string &target, Oid source, std::chrono::milliseconds delay)
{
    pg::execute("UPDATE autosync.exceptions SET next_attempt_at = clock_timestamp() + $4::float8 * interval '1 millisecond'"
                " WHERE ctid = ANY (ARRAY(SELECT ctid FROM autosync.exceptions"
                " WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid AND status IN ('PENDING', 'RETRYING')"
                " AND coalesce(next_attempt_at, '-infinity') <= clock_timestamp() FOR UPDATE SKIP LOCKED))",
                {std::to_string(instance), target, std::to_string(source), std::to_string(delay.count())});
}

void retry_refused(std::int64_t instance, const std::string &target, Oid source)
{
    pg::execute("UPDATE autosync.exceptions SET status = 'RETRYING', attempts = 0, next_attempt_at = clock_timestamp(), updated_at = clock_timestamp()"
                " WHERE ctid = ANY (ARRAY(SELECT ctid FROM autosync.exceptions"
                " WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid AND status = 'FAILED' FOR UPDATE SKIP LOCKED))",
                {std::to_string(instance), target, std::to_string(source)});
}

bool hurry_what_lies_ahead(std::int64_t instance, std::chrono::milliseconds noticeable)
{
    bool some = false;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        some = !pg::execute("UPDATE autosync.exceptions SET next_attempt_at = clock_timestamp(), updated_at = clock_timestamp()"
                            " WHERE ctid = ANY (ARRAY(SELECT ctid FROM autosync.exceptions WHERE instance = $1::int8 AND status IN ('PENDING', 'RETRYING')"
                            " AND next_attempt_at > clock_timestamp() AND updated_at > clock_timestamp() + $2::float8 * interval '1 millisecond'"
                            " FOR UPDATE SKIP LOCKED)) RETURNING 1",
                            {std::to_string(instance), std::to_string(noticeable.count())})
                    .empty();
    });
    return some;
}

} // namespace autosync::outbox
