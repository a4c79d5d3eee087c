// Writing down what became of a round: exceptions, cursors, jobs. One short transaction.

#include <algorithm>
#include <iterator>
#include <random>
#include <set>

#include "config/connection.hpp"
#include "config/settings.hpp"
#include "delivery/retry.hpp"
#include "outbox/history.hpp"
#include "outbox/word.hpp"
#include "pg/fault.hpp"
#include "pg/spi.hpp"
#include "worker/advance.hpp"
#include "worker/round.hpp"
#include "worker/sessions.hpp"

namespace autosync::worker {

namespace {

using State = delivery::Result::State;

constexpr std::chrono::seconds quiet{10}; ///< after so long no request is applied any more that was left unanswered

std::string headline(const http::Request &request)
{
    constexpr std::size_t most = 2'000;
    return request.method + " " + request.url + "\n" + request.body.substr(0, most);
}

/// Of what was sent: the row's own where the sync names it, that which an application has given, else ours.
std::optional<std::int64_t> version_of(const Flight &flight, std::size_t i)
{
    const Item &item = flight.items[i];
    const bool ours = flight.declared[flight.changes[i].source]->sync.version.empty() || item.operation == outbox::word_operation;
    return item.version || !ours ? item.version : flight.version;
}

/// What the target refused, and what did not arrive, sorted out of a flight.
void sort_out(Round &round, Flight &flight)
{
    if (!flight.delivery)
        return;
    const auto &results = flight.delivery->results();
    std::vector<Item> open;
    const bool guarded = flight.target.kind->capabilities().guarded;
    for (std::size_t i = 0; i < results.size(); ++i) {
        Item &item = flight.items[i];
        const auto &result = results[i];
        item.doubtful = item.doubtful || result.in_doubt;
        if (result.state == State::refused) // parked: it is delivered again in any case, or given up
            item.doubtful = false;
        if (item.doubtful && !guarded && item.told == nullptr && item.verb != "unpublish") // to remove it once more would be wrong when the row has changed by then
            flight.doubts.push_back({item.table, item.wanted.key, item.rekeyed ? "delete" : item.operation,
                                     round.kind == Round::Kind::due && result.state == State::open});
        if (result.state == State::delivered) {
            note_done(flight, item, true, version_of(flight, i));
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
        } else if (item.told != nullptr) {
            open.push_back(std::move(item));
        } else if (round.kind != Round::Kind::backfill) { // a backfill reads its piece again
            round.items.push_back(std::move(item));
        }
    }
    round.items.insert(round.items.begin(), std::make_move_iterator(open.begin()), std::make_move_iterator(open.end())); // others of their entities come behind them
}

/// What comes behind an event that was refused waits for what becomes of that.
void hold_behind(Round &round, const Flight &flight)
{
    std::set<std::pair<Oid, std::string>> held;
    for (const auto &refused : flight.refusals)
        held.emplace(refused.source, refused.key);
    std::deque<Item> free;
    for (auto &item : round.items) {
        if (item.told != nullptr && held.contains({item.table, item.wanted.key}))
            round.behind.push_back(behind(item));
        else
            free.push_back(std::move(item));
    }
    round.items = std::move(free);
}

std::map<std::pair<Oid, std::string>, std::optional<std::int64_t>> versions_of(const Flight &flight)
{
    std::map<std::pair<Oid, std::string>, std::optional<std::int64_t>> versions;
    for (const auto &each : flight.done)
        versions[{each.source, each.key}] = each.version;
    return versions;
}

/// Of the sync, else of its target.
struct Patience {
    int attempts;
    delivery::BackoffLimits backoff;
};
Patience patience_with(const Flight &flight, const Destination &destination, Oid table)
{
    Patience patience{static_cast<int>(flight.target.max_attempts), flight.target.backoff};
    if (const auto declared = destination.find(table)) {
        const auto &options = declared->sync.options;
        const auto duration = [&](const char *name, std::chrono::milliseconds fallback) {
            const auto *const value = config::find(options, name);
            return value == nullptr ? fallback : config::parse_duration(*value);
        };
        patience.attempts = config::number_or(options, "max_attempts", patience.attempts);
        patience.backoff.initial = duration("retry_initial_delay", patience.backoff.initial);
        patience.backoff.maximum = std::max(patience.backoff.initial, duration("retry_max_delay", patience.backoff.maximum));
    }
    return patience;
}

void judge(Flight &flight, const Destination &destination)
{
    static std::minstd_rand random{static_cast<std::minstd_rand::result_type>(GetCurrentTimestamp())};
    for (auto &refusal : flight.refusals) {
        const auto patience = patience_with(flight, destination, refusal.source);
        refusal.given_up = refusal.attempts >= patience.attempts;
        refusal.delay = delivery::backoff(patience.backoff, static_cast<unsigned>(refusal.attempts), random);
        if (refusal.event_id.empty()) // a backfill's: no event stands behind it
            refusal.event_id = "backfill-" + std::to_string(refusal.source) + "-" + refusal.key;
        if (refusal.given_up && config::settings.log_errors)
            pg::report(LOG, ERRCODE_FDW_ERROR, "target \"" + destination.name + "\" refused a change for good", "Key " + refusal.key + ": " + refusal.message,
                       "See autosync.failed_events; then autosync.retry() or autosync.discard().");
    }
}

} // namespace

void note_done(Flight &flight, Item &item, bool sent, std::optional<std::int64_t> version)
{
    flight.done.push_back({item.table, item.wanted.key, item.event_id, item.captured_at, version, item.operation == "insert"});
    for (auto &event : item.events) {
        event.key = item.wanted.key;
        if (sent) {
            event.version = version;
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
    if (item.told != nullptr) {
        made.payload = item.told->payload;
        made.correlation_id = item.told->correlation_id;
        made.origin = item.told->origin;
    } else if (!item.events.empty()) {
        made.payload = item.events.back().payload;
    }
    return made;
}

void settle(std::int64_t instance, const Destination &destination, Round &round, Flight &flight, bool has_exceptions, const std::vector<outbox::Ended> &carried)
{
    const std::string &target = destination.name;
    const auto asks = telling(destination.syncs);
    sort_out(round, flight);
    if (!flight.refusals.empty())
        hold_behind(round, flight);
    const auto now = GetCurrentTimestamp();
    for (auto &event : flight.over)
        event.completed_at = now;
    if (round.kind == Round::Kind::log)
        std::ranges::move(flight.over, std::back_inserter(round.over));
    const bool left = flight.delivery && (flight.delivery->trouble() || flight.delivery->newer_version() > 0 || flight.delivery->stopped());
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        if (flight.delivery)
            for (const auto &[source, usage] : flight.delivery->usage())
                spend(instance, flight.declared[source]->sync, flight.declared[source]->budget, static_cast<std::int64_t>(usage.tokens));
        if (flight.delivery && flight.delivery->trouble() && flight.delivery->trouble()->unprepared)
            request_job(instance, target, flight.declared[*flight.delivery->trouble()->unprepared]->sync.table, "backfill", "the target has lost it");
        judge(flight, destination);
        if (!flight.refusals.empty()) {
            for (const Oid table : outbox::note_refusals(instance, target, flight.refusals, asks))
                flight.troubled[table] = being_decided;
        }
        if (!flight.waiting.empty())
            outbox::note_waiting(instance, target, flight.waiting, patience_of(flight.target), asks);
        if (flight.events == nullptr) // a row that is told as a state ends no event
            std::erase_if(flight.done, [&](const auto &done) {
                return std::ranges::any_of(flight.declared, [&](const auto &declared) { return declared->history && declared->sync.table == done.source; });
            });
        if (has_exceptions)
            outbox::tell_retried(instance, target, flight.done, asks);
        if (has_exceptions && !flight.done.empty()) {
            auto cleared = outbox::clear_exceptions(instance, target, flight.done);
            auto versions = versions_of(flight);
            for (auto &event : cleared) {
                event.published_at = flight.sent_at;
                event.completed_at = now;
                if (event.status == "COMPLETED")
                    event.version = versions[{event.source, event.key}];
            }
            outbox::append_history(instance, target, cleared);
        }
        if (flight.events != nullptr && has_exceptions)
            (void) outbox::let_on(instance, target);
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
                outbox::postpone(instance, target, table, flight.paced.contains(table) ? pause : std::max(later, pause));
            if (round.kind != Round::Kind::log)
                continue;
            round.lagging[table] = reason;
            round.pause[table] = pause;
            if (flight.paced.contains(table))
                round.paced.insert(table);
        }
        const bool readable = round.kind == Round::Kind::log || flight.troubled.empty();
        if (round.items.empty() && readable && !(round.kind == Round::Kind::backfill && left))
            finish(instance, target, round, carried);
        AUTOSYNC_FAULT("in_settle");
    });
}

void settle_early(std::int64_t instance, const std::string &target, const Flight &flight)
{
    const auto &usage = flight.delivery->usage();
    const auto &results = flight.delivery->results();
    std::vector<outbox::Doubt> doubts;
    for (std::size_t i = 0; i < results.size(); ++i)
        if (results[i].in_doubt && !flight.target.kind->capabilities().guarded)
            doubts.push_back({flight.items[i].table, flight.items[i].wanted.key, flight.items[i].operation, false});
    if (usage.empty() && doubts.empty())
        return;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        for (const auto &[source, part] : usage)
            spend(instance, flight.declared[source]->sync, flight.declared[source]->budget, static_cast<std::int64_t>(part.tokens));
        if (!doubts.empty())
            (void)outbox::note_doubts(instance, target, doubts, std::min<std::chrono::milliseconds>(quiet, flight.target.limits.request_timeout));
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
