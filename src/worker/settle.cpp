// Writing down what became of a round: exceptions, cursors, jobs. One short transaction.

#include <algorithm>
#include <iterator>
#include <random>

#include "config/connection.hpp"
#include "config/settings.hpp"
#include "delivery/retry.hpp"
#include "outbox/history.hpp"
#include "pg/spi.hpp"
#include "worker/debounce.hpp"
#include "worker/expiry.hpp"
#include "worker/round.hpp"
#include "worker/sessions.hpp"

namespace autosync::worker {

namespace {

using State = delivery::Result::State;

constexpr std::chrono::seconds quiet{10}; ///< after so long no request is applied any more that was left unanswered
constexpr const char *being_decided = "another session has yet to commit what it asks for";

std::string headline(const http::Request &request)
{
    constexpr std::size_t most = 2'000;
    return request.method + " " + request.url + "\n" + request.body.substr(0, most);
}

/// What the target refused, and what did not arrive, sorted out of a flight.
void sort_out(Round &round, Flight &flight)
{
    if (!flight.delivery)
        return;
    const auto &results = flight.delivery->results();
    const bool guarded = flight.target.kind->capabilities().guarded;
    for (std::size_t i = 0; i < results.size(); ++i) {
        Item &item = flight.items[i];
        const auto &result = results[i];
        item.doubtful = item.doubtful || result.in_doubt;
        if (result.state == State::refused) // parked: it is delivered again in any case, or given up
            item.doubtful = false;
        if (item.doubtful && !guarded && item.verb != "unpublish") // to remove it once more would be wrong when the row has changed by then
            flight.doubts.push_back({item.table, item.wanted.key, item.rekeyed ? "delete" : item.operation,
                                     round.kind == Round::Kind::due && result.state == State::open});
        if (result.state == State::delivered) {
            note_done(flight, item, true);
        } else if (result.state == State::refused) {
            auto &refused = flight.refusals.emplace_back(refusal(item, result.message));
            refused.request = headline(result.request);
            refused.answer = result.answer;
        } else if (result.state == State::waiting) {
            constexpr std::chrono::seconds later{30};
            outbox::Waiting waiting;
            waiting.did = flight.context ? flight.context->intents[i].at.did : std::string{};
            waiting.message = result.message;
            waiting.authentication = result.authentication;
            waiting.delay = result.retry_after.value_or(later);
            flight.waiting.push_back(wait_for(item, std::move(waiting)));
        } else if (round.kind != Round::Kind::backfill) { // a backfill reads its piece again
            round.items.push_back(std::move(item));
        }
    }
}

/// Of the sync, else of its target.
int most_attempts(const Flight &flight, Oid table)
{
    for (const auto &declared : flight.declared)
        if (declared->sync.table == table)
            return config::number_or(declared->sync.options, "max_attempts", static_cast<int>(flight.target.max_attempts));
    return static_cast<int>(flight.target.max_attempts);
}

void judge(Flight &flight, const std::string &target)
{
    static std::minstd_rand random{static_cast<std::minstd_rand::result_type>(GetCurrentTimestamp())};
    for (auto &refusal : flight.refusals) {
        refusal.given_up = refusal.attempts >= most_attempts(flight, refusal.source);
        refusal.delay = delivery::backoff(flight.target.backoff, static_cast<unsigned>(refusal.attempts), random);
        if (refusal.event_id.empty()) // a backfill's: no event stands behind it
            refusal.event_id = "backfill-" + std::to_string(refusal.source) + "-" + refusal.key;
        if (refusal.given_up && config::settings.log_errors)
            pg::report(LOG, ERRCODE_FDW_ERROR, "target \"" + target + "\" refused a change for good", "Key " + refusal.key + ": " + refusal.message,
                       "See autosync.failed_events; then autosync.retry() or autosync.discard().");
    }
}

/// `events`: over when the work is done.
void request_job(std::int64_t instance, const std::string &target, Oid table, const char *kind, const char *reason, const std::vector<outbox::Ended> &events = {})
{
    pg::execute("INSERT INTO autosync.jobs AS j (instance, target, source, kind, reason, options, requested_by, requested_at)"
                " VALUES ($1::int8, $2::name, $3::oid, $4, $5, $6::jsonb, current_user, clock_timestamp())"
                " ON CONFLICT (instance, target, source, kind) DO UPDATE SET \"position\" = NULL, where_clause = NULL, done = 0, reason = excluded.reason,"
                " options = CASE WHEN j.options IS NULL THEN excluded.options WHEN excluded.options IS NULL THEN j.options ELSE j.options || excluded.options END,"
                " requested_at = excluded.requested_at",
                {std::to_string(instance), target, std::to_string(table), kind, reason, events.empty() ? pg::Cell{} : outbox::to_json(events)});
}

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
    for (const Oid table : round.truncated)
        request(table, "sweep", "TRUNCATE", table);
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
    for (const auto &[table, reason] : round.lagging) {
        if (round.before.source == table && round.before.reason == reason)
            continue; // as before
        outbox::Cursor apart = round.before;
        apart.source = table;
        apart.reason = reason;
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

} // namespace

void note_done(Flight &flight, Item &item, bool sent)
{
    flight.done.push_back(arrived(item));
    for (auto &event : item.events) {
        event.key = item.wanted.key;
        if (sent) {
            event.version = flight.version;
            event.published_at = flight.sent_at;
        }
        flight.over.push_back(std::move(event));
    }
    item.events.clear();
}

outbox::Refusal refusal(const Item &item, std::string message)
{
    outbox::Refusal made;
    made.source = item.table;
    made.key = item.wanted.key;
    made.event_id = item.event_id;
    made.operation = item.operation;
    made.message = std::move(message);
    made.attempts = item.attempts + 1;
    made.captured_at = item.captured_at;
    return made;
}

void settle(std::int64_t instance, const std::string &target, Round &round, Flight &flight, bool has_exceptions, const std::vector<outbox::Ended> &carried)
{
    sort_out(round, flight);
    const auto now = GetCurrentTimestamp();
    for (auto &event : flight.over)
        event.completed_at = now;
    if (round.kind == Round::Kind::log)
        std::ranges::move(flight.over, std::back_inserter(round.over));
    const bool trouble = flight.delivery && (flight.delivery->trouble() || flight.delivery->newer_version() > 0);
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        if (flight.delivery)
            for (const auto &[source, usage] : flight.delivery->usage())
                spend(instance, flight.declared[source]->sync, flight.declared[source]->budget, static_cast<std::int64_t>(usage.tokens));
        if (flight.delivery && flight.delivery->trouble() && flight.delivery->trouble()->unprepared)
            request_job(instance, target, flight.declared[*flight.delivery->trouble()->unprepared]->sync.table, "backfill", "the target has lost it");
        judge(flight, target);
        if (!flight.refusals.empty()) {
            for (const Oid table : outbox::note_refusals(instance, target, flight.refusals))
                flight.troubled[table] = being_decided;
        }
        if (!flight.waiting.empty())
            outbox::note_waiting(instance, target, flight.waiting, patience_of(flight.target), telling(flight.declared));
        if (has_exceptions)
            outbox::tell_retried(instance, target, flight.done, telling(flight.declared));
        if (has_exceptions && !flight.done.empty()) {
            auto cleared = outbox::clear_exceptions(instance, target, flight.done);
            for (auto &event : cleared) {
                event.published_at = flight.sent_at;
                event.completed_at = now;
                event.version = event.status == "COMPLETED" ? flight.version : 0;
            }
            outbox::append_history(instance, target, cleared);
        }
        if (round.kind != Round::Kind::log)
            outbox::append_history(instance, target, flight.over);
        if (!flight.doubts.empty()) { // behind what is cleared: also when it has arrived by now, the earlier request may come after it
            const auto over = std::min<std::chrono::milliseconds>(quiet, flight.target.limits.request_timeout);
            for (const Oid table : outbox::note_doubts(instance, target, flight.doubts, over)) {
                flight.troubled[table] = being_decided; // what is delivered again when that is over ends the doubt as well
                flight.pause[table] = std::max(flight.pause[table], over);
            }
        }
        for (const auto &[table, reason] : flight.troubled) {
            constexpr std::chrono::milliseconds later{5'000};
            const auto pause = flight.pause[table];
            if (round.kind == Round::Kind::due)
                outbox::postpone(instance, target, table, std::max(later, pause));
            if (round.kind != Round::Kind::log)
                continue;
            round.lagging[table] = reason;
            round.pause[table] = pause;
        }
        const bool readable = round.kind == Round::Kind::log || flight.troubled.empty();
        if (round.items.empty() && readable && !(round.kind == Round::Kind::backfill && trouble))
            finish(instance, target, round, carried);
    });
}

void settle_empty(std::int64_t instance, const std::string &target, Round &round, const std::vector<outbox::Ended> &carried)
{
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        finish(instance, target, round, carried);
    });
}

} // namespace autosync::worker
