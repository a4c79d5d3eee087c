#include "worker/advance.hpp"

#include <algorithm>
#include <iterator>

#include "outbox/exceptions.hpp"
#include "outbox/history.hpp"
#include "pg/spi.hpp"
#include "worker/debounce.hpp"
#include "worker/expiry.hpp"

namespace autosync::worker {

namespace {

/// Asks for work that the piece has given rise to. Where a session is asking for the same in an open transaction, the table that gave rise
/// to it stays behind: that is not waited for, and may be rolled back.
void request_jobs(std::int64_t instance, const std::string &target, Round &round)
{
    const auto request = [&](Oid table, const char *kind, const char *reason, Oid origin) {
        std::vector<outbox::Ended> events;
        if (table == origin)
            std::ranges::copy_if(round.truncations, std::back_inserter(events), [table](const auto &it) { return it.source == table; });
        try {
            pg::subtransaction([&] { request_job(instance, target, table, kind, reason, events); });
        } catch (const pg::Error &error) {
            if (error.sqlstate() != ERRCODE_LOCK_NOT_AVAILABLE)
                throw;
            round.lagging[origin] = being_decided;
        }
    };
    for (const Oid table : round.truncated) {
        request(table, "sweep", "TRUNCATE", table);
        outbox::retry_refused(instance, target, table); // the sweep looks at what the target has, and it has refused these
    }
    for (const auto &[child, parent] : round.dependents)
        request(child, "backfill", "the key of a parent has changed", parent);
}

/// Of an entity whose changes have expired the last one stands for all in the exceptions.
void end_expired(Round &round)
{
    const auto end = [&round](Item &item, const std::string &but) {
        for (auto &event : item.events) {
            if (event.event_id == but)
                continue;
            event.key = item.wanted.key;
            event.status = "EXPIRED";
            event.completed_at = GetCurrentTimestamp();
            round.over.push_back(std::move(event));
        }
        item.events.clear();
    };
    for (auto &item : round.expired)
        end(item, item.event_id);
    for (auto &item : round.expired_before)
        end(item, "");
}

/// The target stands behind the piece now; tables that could not be read stay where it began.
void advance(std::int64_t instance, const std::string &target, Round &round, const std::vector<outbox::Ended> &carried)
{
    request_jobs(instance, target, round);
    end_expired(round);
    for (const Oid table : note_expired(instance, target, round))
        round.lagging[table] = being_decided;
    for (const Oid table : note_held(instance, target, round))
        round.lagging[table] = being_decided;
    outbox::note_behind(instance, target, round.behind);
    for (const auto &[table, reason] : round.lagging) {
        if (round.before.source == table && round.before.reason == reason)
            continue; // as before
        outbox::Cursor apart = round.before;
        apart.source = table;
        apart.reason = reason;
        if (table == outbox::history_source) { // a place within the stretch means something else there
            apart.upto.reset();
            apart.position.reset();
        }
        outbox::save_cursor(instance, apart);
    }
    const bool main = round.before.source == InvalidOid;
    if (!round.record || (!main && round.lagging.contains(round.before.source)))
        return;
    outbox::save_cursor(instance, round.after);
    // With the cursor, so that what is read again after a crash is not written down twice.
    if (main)
        outbox::append_history(instance, target, carried);
    outbox::append_history(instance, target, round.over);
    round.recorded = main;
}

void advance_job(std::int64_t instance, const std::string &target, const Round &round)
{
    const auto end = [&](const pg::Cell &options) {
        auto events = outbox::events_of(options.value_or("[]"));
        for (auto &event : events)
            event.completed_at = GetCurrentTimestamp();
        outbox::append_history(instance, target, events);
    };
    // Asked for anew meanwhile: then it begins from the start, and this piece does not count.
    const std::vector<pg::Cell> which{std::to_string(instance), target, std::to_string(round.job.table), round.job.kind, round.job.requested_at};
    // A row that somebody is asking for anew at this moment is left alone, not waited for.
    const std::string condition = " WHERE (instance, target, source, kind) = (SELECT instance, target, source, kind FROM autosync.jobs"
                                  " WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid AND kind = $4 AND requested_at = $5::timestamptz"
                                  " FOR UPDATE SKIP LOCKED)";
    if (round.finished && round.job.kind == "rebuild") { // now it waits for its turn to take the old one's place
        pg::execute("UPDATE autosync.jobs SET options = options || '{\"filled\": true}', updated_at = clock_timestamp()" + condition, which);
        return;
    }
    if (round.finished) {
        if (const auto gone = pg::execute_one("DELETE FROM autosync.jobs" + condition + " RETURNING options", which); gone && round.job.kind == "sweep")
            end(gone);
        return;
    }
    auto parameters = which;
    parameters.emplace_back(round.position);
    parameters.emplace_back(std::to_string(round.done));
    pg::execute("UPDATE autosync.jobs SET \"position\" = $6, done = done + $7::int8, started_at = coalesce(started_at, clock_timestamp()),"
                " updated_at = clock_timestamp()" +
                    condition,
                parameters);
}

} // namespace

void request_job(std::int64_t instance, const std::string &target, Oid table, const char *kind, const char *reason, const std::vector<outbox::Ended> &events)
{
    pg::execute("INSERT INTO autosync.jobs AS j (instance, target, source, kind, reason, options, requested_by, requested_at)"
                " VALUES ($1::int8, $2::name, $3::oid, $4, $5, $6::jsonb, current_user, clock_timestamp())"
                " ON CONFLICT (instance, target, source, kind) DO UPDATE SET \"position\" = NULL, where_clause = NULL, total = NULL, done = 0,"
                " started_at = NULL, updated_at = NULL, reason = excluded.reason,"
                " options = CASE WHEN j.options IS NULL THEN excluded.options WHEN excluded.options IS NULL THEN j.options ELSE j.options || excluded.options END,"
                " requested_by = excluded.requested_by, requested_at = excluded.requested_at",
                {std::to_string(instance), target, std::to_string(table), kind, reason, events.empty() ? pg::Cell{} : outbox::to_json(events)});
}

void finish(std::int64_t instance, const std::string &target, Round &round, const std::vector<outbox::Ended> &carried)
{
    switch (round.kind) {
    case Round::Kind::log:
        advance(instance, target, round, carried);
        break;
    case Round::Kind::sweep:
    case Round::Kind::backfill:
        advance_job(instance, target, round);
        break;
    case Round::Kind::due:
        break;
    }
}

} // namespace autosync::worker
