// A runner's rounds: read, launch, send, land.

#include <algorithm>
#include <iterator>
#include <limits>

#include "config/connection.hpp"
#include "pg/fault.hpp"
#include "pg/spi.hpp"
#include "pg/wal.hpp"
#include "worker/debounce.hpp"
#include "worker/embedded.hpp"
#include "worker/expiry.hpp"
#include "worker/progress.hpp"
#include "worker/records.hpp"
#include "worker/references.hpp"
#include "worker/runner.hpp"
#include "worker/time.hpp"
#include "worker/worker.hpp"

namespace autosync::worker {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds standby_nap{10};
constexpr milliseconds job_pause{1'000};   // after a job could not read its table
constexpr milliseconds apart_initial{100}; // a table that could not be locked or read is tried again after so long
constexpr milliseconds apart_maximum{5'000};

/// Rows of several syncs share a request: as many as the most modest of them asks for.
std::size_t batch_size(const Flight &flight)
{
    auto size = std::numeric_limits<std::size_t>::max();
    for (const auto &declared : flight.declared)
        size = std::min(size, config::number_or(declared->sync.options, "batch_size", flight.target.batch_size));
    return flight.declared.empty() ? flight.target.batch_size : size;
}

} // namespace

Runner::Step Runner::begin(Round round)
{
    round_ = std::move(round);
    return go_on(std::chrono::steady_clock::now());
}

Runner::Step Runner::go_on(TimePoint now)
{
    activity("reading", target_.c_str());
    if (round_->kind == Round::Kind::log && !round_->history) { // it may have waited for the target
        const auto before = round_->items.size();
        expire(*destination(), *round_);
        if (round_->items.size() < before && !round_->begun) { // what has changed again meanwhile is no such loss: gather anew
            round_.reset();
            return Step::again;
        }
    }
    if (round_->kind == Round::Kind::log && !round_->history)
        hold_back(*destination(), *round_);
    has_exceptions_ = has_exceptions_ || !round_->expired.empty() || !round_->held.empty();
    news_ = news_ || !round_->held.empty();
    if (round_->items.empty() && round_->kind != Round::Kind::backfill) {
        settle_empty(desk_.instance, target_, *round_, carried_);
        news_ = news_ || !round_->truncated.empty();
        adopt_cursors(*round_);
        round_.reset();
        return Step::again;
    }
    auto flight = round_->history ? read_history(*destination(), *round_, round_limit()) : read_flight(*destination(), *round_, round_limit(), lanes_);
    AUTOSYNC_FAULT("after_read");
    flight->outdated = flight->outdated || desk_.news.arrived();
    const bool outdated = flight->outdated;
    launch(std::move(flight), now);
    return outdated ? Step::nothing : Step::again;
}

void Runner::launch(std::unique_ptr<Flight> flight, TimePoint now)
{
    if (flight->outdated) { // nothing is lost: the round begins again from where the target stands
        round_.reset();
        return;
    }
    flight_ = std::move(flight);
    if (!flight_->changes.empty() && flight_->target.kind->capabilities().mapped)
        flight_->context = prepare_records(desk_.instance, target_, *flight_, budgets_);
    if (flight_->changes.empty()) {
        land(now);
        return;
    }
    activity("delivering", target_.c_str());
    targets::Context *const context = flight_->events ? static_cast<targets::Context *>(flight_->events.get()) : flight_->context.get();
    targets::Batch batch{flight_->sources, flight_->mappings, flight_->changes, desk_.clock.next(), context};
    flight_->version = batch.version;
    flight_->sent_at = GetCurrentTimestamp();
    flight_->place = std::max(flight_->place, pg::flush_wal()); // the version's reservation too
    AUTOSYNC_FAULT("before_send");
    delivery::Settings settings;
    settings.batch_size = batch_size(*flight_);
    settings.max_in_flight = breaker_.failures() > 0 ? 1 : flight_->target.max_in_flight; // half open: one try decides
    flight_->delivery.emplace(*flight_->target.kind, flight_->target.description, batch, settings);
}

/// When a table in trouble is tried again: after a usual while, or after one that what it costs asks for.
Runner::Retry Runner::later(TimePoint now, milliseconds usual, milliseconds due_to_cost)
{
    constexpr milliseconds costly{5'000};
    return {now + std::max(usual, due_to_cost), 0, due_to_cost >= costly};
}

/// Sends what may be sent. Lands the flight when it is over.
milliseconds Runner::pump(TimePoint now, bool paused)
{
    auto &delivery = *flight_->delivery;
    if (paused && !early_.flying()) // for that a session waits
        delivery.stop();
    if (delivery.requests() == 0 && !pg::confirmed_by_standbys(flight_->place))
        return standby_nap;
    const bool embedded = flight_->target.kind->capabilities().embedded;
    for (bool first = true; !delivery.finished(); first = false) {
        if (embedded && !first && desk_.news.arrived()) // nobody has been able to say anything since
            return milliseconds{0};
        if (!bucket_.take(now))
            return std::max(milliseconds{1}, until(bucket_.next(now), now));
        auto outgoing = delivery.next(now);
        if (!outgoing) {
            bucket_.give_back();
            break;
        }
        lanes_.sent(flight_->lane, now);
        if (embedded) {
            const auto fail = flight_->target.description.options.find("fail");
            const auto response = execute_embedded(desk_.instance, target_, outgoing->request, fail == flight_->target.description.options.end() ? "" : fail->second);
            AUTOSYNC_FAULT("after_send");
            delivery.answer(outgoing->id, response, now);
            continue;
        }
        const http::Access access = flight_->target.description.access_to(outgoing->request); // may be the request's own
        tickets_[desk_.client.send(std::move(outgoing->request), access, flight_->target.limits)] = outgoing->id;
        AUTOSYNC_FAULT("after_send");
    }
    if (delivery.finished()) {
        land(now);
        return milliseconds{0};
    }
    return delivery.retry_at() == TimePoint::max() ? forever : std::max(milliseconds{1}, until(delivery.retry_at(), now));
}

/// The flight is over: write down what became of it.
void Runner::land(TimePoint now)
{
    activity("settling", target_.c_str());
    AUTOSYNC_FAULT("before_settle");
    if (early_.flying()) {
        land_early(now);
        return;
    }
    if (flight_->context && flight_->delivery)
        land_records();
    if (flight_->context) {
        keeper_.look_up(flight_->context->doubtful);
        news_ = news_ || !flight_->context->doubtful.empty();
    }
    settle(desk_.instance, *destination(), *round_, *flight_, has_exceptions_, carried_);
    AUTOSYNC_FAULT("after_settle");
    stretch_.note(*round_, *flight_);
    if (mapped() && (has_exceptions_ || !flight_->waiting.empty()))
        pg::transaction([this] {
            const pg::ActiveSnapshot snapshot;
            news_ = release_children(desk_.instance, target_) || news_;
        });
    if (!flight_->waiting.empty()) {
        has_exceptions_ = news_ = true;
        keeper_.hurry();
    }
    has_exceptions_ = has_exceptions_ || !flight_->refusals.empty() || !flight_->doubts.empty();
    news_ = news_ || !flight_->refusals.empty() || !flight_->doubts.empty() || !round_->truncated.empty() || !round_->dependents.empty();
    news_ = news_ || (flight_->events && has_exceptions_); // what came behind may be due
    round_->begun = round_->begun || !flight_->done.empty();
    const auto flight = std::move(flight_);
    account(*flight, *round_, now);
    const bool job = round_->kind == Round::Kind::backfill || round_->kind == Round::Kind::sweep;
    if (job && !flight->troubled.empty())
        job_retries_[round_->job.table] = later(now, job_pause, flight->pause[round_->job.table]);
    if (round_->kind == Round::Kind::backfill || round_->items.empty()) {
        adopt_cursors(*round_);
        round_.reset();
    }
}

/// What a flight tells of the target.
void Runner::account(const Flight &flight, const Round &round, TimePoint now)
{
    if (!flight.delivery)
        return;
    note_delivery(target_, flight, round);
    if (flight.delivery->newer_version() > 0)
        desk_.clock.observe(flight.delivery->newer_version());
    if (flight.delivery->trouble() && flight.delivery->trouble()->unprepared) {
        news_ = true;
        for (const auto &now_declared : destination()->syncs)
            if (now_declared->sync.table == flight.declared[*flight.delivery->trouble()->unprepared]->sync.table)
                now_declared->prepared = false;
    }
    if (flight.delivery->trouble())
        trouble(*flight.delivery->trouble(), now, flight.timed_out);
    else if (!flight.delivery->stopped() || flight.delivery->requests() > 0)
        success();
}

Runner::Step Runner::send_early(TimePoint now)
{
    if (Catalog::stale())
        return Step::nothing;
    if (const auto *const access = any_access(); !access->problem.empty()) {
        early_.refuse(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, access->problem);
        return Step::again;
    }
    if (const Step step = prepare_syncs(*destination()); step != Step::nothing)
        return step;
    if (auto flight = early_.next(*destination(), lanes_))
        launch(std::move(flight), now);
    return Step::again;
}

/// Whether it has arrived is for the session to hear; what it was sent for comes through the log, or is read again because of its mark.
void Runner::land_early(TimePoint now)
{
    const auto flight = std::move(flight_);
    early_.land(*flight);
    has_exceptions_ = true;
    settle_early(desk_.instance, target_, *flight);
    account(*flight, Round{}, now);
}

void Runner::adopt_cursors(Round &round)
{
    if (round.kind != Round::Kind::log)
        return;
    if (round.recorded)
        carried_.clear();
    else if (round.before.source == InvalidOid)
        std::ranges::move(round.over, std::back_inserter(carried_));
    const Oid own = round.before.source;
    const TimePoint now = std::chrono::steady_clock::now();
    if (own == InvalidOid || !round.lagging.contains(own)) {
        cursors_[own] = round.after;
        apart_retries_.erase(own);
    }
    if (own == InvalidOid) {
        unrecorded_ = !round.record;
        recorded_at_ = round.record ? now : recorded_at_;
    }
    for (const auto &[table, reason] : round.lagging) {
        auto &apart = cursors_[table];
        apart = round.before;
        apart.source = table;
        apart.reason = reason;
        if (table == outbox::history_source) {
            apart.upto.reset();
            apart.position.reset();
            continue;
        }
        if (round.paced.contains(table)) {
            apart_retries_[table].at = now + round.pause[table];
            continue;
        }
        const unsigned failures = apart_retries_[table].failures;
        const auto pause = round.pause.find(table);
        apart_retries_[table] = later(now, std::min(apart_maximum, apart_initial * (1 << std::min(failures, 6U))),
                                      pause == round.pause.end() ? milliseconds{0} : pause->second);
        apart_retries_[table].failures = failures + 1;
    }
}

} // namespace autosync::worker
