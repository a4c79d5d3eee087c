#include "outbox/history.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "config/settings.hpp"
#include "outbox/forgotten.hpp"
#include "outbox/members.hpp"
#include "outbox/truncate.hpp"
#include "pg/spi.hpp"

namespace autosync::outbox {

namespace {

constexpr int segments = 3;
constexpr int columns = 17;

int current = -1; ///< the table that is appended to; -1: not looked up yet

std::string table(int segment) { return "autosync.history_" + std::to_string(segment); }

/// What one table holds. Rows lie in the order in which they were appended, so that its first and last page tell.
struct Segment {
    std::int64_t bytes = 0;
    double oldest = 0; ///< age in seconds
    double newest = 0;
};

Segment look(int segment)
{
    const std::string name = table(segment);
    Segment found;
    found.bytes = std::stoll(pg::execute_one("SELECT pg_relation_size('" + name + "')").value_or("0"));
    if (found.bytes == 0)
        return found;
    const auto last = std::to_string(found.bytes / BLCKSZ - 1);
    const auto ages = pg::execute("SELECT (SELECT extract(epoch FROM clock_timestamp() - max(completed_at)) FROM " + name + " WHERE ctid < '(1,0)'),"
                                  " (SELECT extract(epoch FROM clock_timestamp() - max(completed_at)) FROM " + name + " WHERE ctid >= '(" + last + ",0)')")
                          .at(0);
    found.oldest = std::stod(ages[0].value_or("0"));
    found.newest = std::stod(ages[1].value_or("0"));
    return found;
}

int segment_in_use()
{
    if (current >= 0)
        return current;
    current = 0;
    std::optional<double> newest;
    for (int i = 0; i < segments; ++i)
        if (const auto it = look(i); it.bytes > 0 && (!newest || it.newest < *newest)) {
            newest = it.newest;
            current = i;
        }
    return current;
}

Datum text_of(const std::string &text) { return PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size()))); }

HeapTuple form(TupleDesc shape, std::int64_t instance, Datum target, const Ended &event)
{
    Datum values[columns];
    bool nulls[columns] = {};
    int at = 0;
    const auto put = [&](Datum value, bool null = false) {
        values[at] = value;
        nulls[at++] = null;
    };
    const auto put_text = [&](const std::string &text) { put(text.empty() ? Datum{0} : text_of(text), text.empty()); };
    put(Int64GetDatum(instance));
    put(ObjectIdGetDatum(event.source));
    put(target);
    put_text(event.event_id);
    put_text(event.operation);
    put_text(event.status);
    put(event.key.empty() && event.operation == "truncate" ? Datum{0} : text_of(event.key), event.key.empty() && event.operation == "truncate");
    put_text(event.changed); // text and bytea lie alike
    put(Int64GetDatum(event.version.value_or(0)), !event.version);
    put_text(event.correlation_id);
    put_text(event.origin);
    put(Int32GetDatum(event.attempts));
    put_text(event.last_error);
    put(TimestampTzGetDatum(event.created_at));
    put(TimestampTzGetDatum(event.published_at), event.published_at == 0);
    put(TimestampTzGetDatum(event.completed_at));
    put_text(event.payload);
    return heap_form_tuple(shape, values, nulls);
}

void append(Oid relation, std::int64_t instance, const std::string &target, std::span<const Ended> events)
{
    const auto *const name = &target;
    pg::call([=] {
        Relation const history = table_open(relation, RowExclusiveLock);
        const TupleDesc shape = RelationGetDescr(history);
        MemoryContext const scratch = AllocSetContextCreate(CurrentMemoryContext, "autosync history", ALLOCSET_DEFAULT_SIZES);
        MemoryContext const home = MemoryContextSwitchTo(scratch);
        const Datum text = text_of(*name);
        const CommandId command = GetCurrentCommandId(true);
        const BulkInsertState bulk = GetBulkInsertState();
        for (const Ended &event : events) // heap_multi_insert() cannot keep out of logical decoding
            heap_insert(history, form(shape, instance, text, event), command, TABLE_INSERT_NO_LOGICAL, bulk);
        FreeBulkInsertState(bulk);
        MemoryContextSwitchTo(home);
        MemoryContextDelete(scratch);
        table_close(history, NoLock);
    });
}

/// Empties the table unless somebody reads it at this moment.
bool empty(int segment)
{
    bool done = false;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        done = truncate_in_place(table(segment), [] { return true; });
    });
    return done;
}

/// Without figures the planner would expect a handful of rows. They stem from a small sample, and are made anew when a table has doubled.
void analyze(int segment, std::int64_t bytes)
{
    static std::array<std::int64_t, segments> analyzed{};
    auto &before = analyzed[static_cast<std::size_t>(segment)];
    if (bytes < before)
        before = 0;
    if (bytes < 2 * before || bytes < 64 * BLCKSZ)
        return;
    before = bytes;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        pg::execute("SET LOCAL default_statistics_target = 1");
        pg::execute("ANALYZE " + table(segment));
    });
}

void forget_ended_exceptions(std::int64_t instance)
{
    constexpr int pause = 60'000; // milliseconds
    static TimestampTz last = 0;
    const TimestampTz now = GetCurrentTimestamp();
    if (!TimestampDifferenceExceeds(last, now, pause))
        return;
    last = now;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        pg::execute("DELETE FROM autosync.exceptions WHERE ctid = ANY (ARRAY(SELECT ctid FROM autosync.exceptions WHERE instance = $1::int8"
                    " AND status IN ('EXPIRED', 'DISCARDED') AND updated_at < clock_timestamp() - $2::float8 * interval '1 second' LIMIT 10000"
                    " FOR UPDATE SKIP LOCKED))",
                    {std::to_string(instance), std::to_string(config::settings.history_retention)});
    });
}

/// Of what was erased on request nothing is kept. `rest`: where the others are put if there is any.
std::span<const Ended> without_forgotten(std::int64_t instance, const std::string &target, std::span<const Ended> events, std::vector<Ended> &rest)
{
    const auto tables = tables_forgotten(instance);
    if (std::none_of(tables.begin(), tables.end(), [&](const auto &entry) { return entry.first == target; }))
        return events;
    std::map<Oid, std::vector<std::string>> keys;
    for (const auto &event : events)
        if (tables.contains({target, event.source}))
            keys[event.source].push_back(event.key);
    std::map<Oid, std::set<std::string>> forgotten;
    for (const auto &[source, of_source] : keys)
        forgotten[source] = forgotten_among(target, source, of_source);
    std::copy_if(events.begin(), events.end(), std::back_inserter(rest), [&](const Ended &event) { return !forgotten[event.source].contains(event.key); });
    return rest;
}

} // namespace

bool keeps_history() noexcept { return config::settings.history_retention > 0 && config::settings.history_size > 0; }

void append_history(std::int64_t instance, const std::string &target, std::span<const Ended> ended)
{
    if (ended.empty() || !keeps_history())
        return;
    std::vector<Ended> rest;
    const auto events = without_forgotten(instance, target, ended, rest);
    constexpr std::size_t most = 1'000;
    const auto oid = static_cast<Oid>(std::stoul(pg::execute_one("SELECT '" + table(segment_in_use()) + "'::regclass::oid").value_or("0")));
    for (std::size_t i = 0; i < events.size(); i += most)
        append(oid, instance, target, events.subspan(i, std::min(most, events.size() - i)));
}

void erase_history(std::int64_t instance, const std::string &target, Oid source, const std::string &key)
{
    for (int i = 0; i < segments; ++i)
        pg::execute("DELETE FROM " + table(i) + " WHERE instance = $1::int8 AND target = $2 AND source = $3::oid AND key = $4",
                    {std::to_string(instance), target, std::to_string(source), key});
}

std::string to_json(const std::vector<Ended> &events)
{
    return array_of(events, [](std::string &out, const Ended &event) {
        append_exact(out, "source", std::to_string(event.source));
        append_exact(out, "event_id", event.event_id);
        append_exact(out, "operation", event.operation);
        append_exact(out, "correlation_id", event.correlation_id);
        append_exact(out, "origin", event.origin);
        append_exact(out, "created_at", std::to_string(event.created_at));
    });
}

std::vector<Ended> events_of(const std::string &json)
{
    std::vector<Ended> events;
    for (const auto &row : pg::execute("SELECT e.source, e.event_id, e.operation, e.correlation_id, e.origin, e.created_at"
                                       " FROM jsonb_to_recordset(CASE jsonb_typeof($1::jsonb) WHEN 'array' THEN $1::jsonb ELSE '[]' END)"
                                       " AS e (source oid, event_id text, operation text, correlation_id text, origin text, created_at int8)",
                                       {json}, true)) {
        auto &event = events.emplace_back();
        event.source = static_cast<Oid>(std::stoul(row[0].value_or("0")));
        event.event_id = row[1].value_or("");
        event.operation = row[2].value_or("");
        event.correlation_id = row[3].value_or("");
        event.origin = row[4].value_or("");
        event.created_at = std::stoll(row[5].value_or("0"));
    }
    return events;
}

void turn_history(std::int64_t instance)
{
    std::array<Segment, segments> all;
    int now = 0;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        now = segment_in_use();
        for (int i = 0; i < segments; ++i)
            all[static_cast<std::size_t>(i)] = look(i);
    });
    const double retention = config::settings.history_retention;
    for (int i = 0; i < segments; ++i) {
        auto &it = all[static_cast<std::size_t>(i)];
        if (it.bytes > 0 && (!keeps_history() || it.newest > retention) && empty(i))
            it.bytes = 0;
    }
    // Each table covers half of the time, so that what is kept is never more than half as much again.
    const auto &used = all[static_cast<std::size_t>(now)];
    const int next = (now + 1) % segments;
    const bool grown = used.bytes > std::int64_t{config::settings.history_size} * 1024 / segments;
    const bool aged = used.bytes > 0 && used.oldest > retention / 2;
    if ((grown || aged) && (all[static_cast<std::size_t>(next)].bytes == 0 || (grown && empty(next))))
        current = next;
    forget_ended_exceptions(instance);
    analyze(now, used.bytes);
}

} // namespace autosync::outbox
