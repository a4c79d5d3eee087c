// A runner's rounds: read, launch, send, land.

#include <algorithm>

#include "pg/spi.hpp"
#include "pg/wal.hpp"
#include "worker/embedded.hpp"
#include "worker/progress.hpp"
#include "worker/runner.hpp"
#include "worker/time.hpp"
#include "worker/worker.hpp"

namespace autosync::worker {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds forever{3'600'000};
constexpr milliseconds standby_nap{10};
constexpr milliseconds job_pause{1'000};   // after a job could not read its table
constexpr milliseconds apart_initial{100}; // a table that could not be locked or read is tried again after so long
constexpr milliseconds apart_maximum{5'000};

} // namespace

Runner::Step Runner::begin(Round round)
{
    round_ = std::move(round);
    return go_on(std::chrono::steady_clock::now());
}

Runner::Step Runner::go_on(TimePoint now)
{
    activity("reading", target_.c_str());
    if (round_->items.empty() && round_->kind != Round::Kind::backfill) {
        settle_empty(desk_.instance, target_, *round_);
        news_ = news_ || !round_->truncated.empty();
        adopt_cursors(*round_);
        round_.reset();
        return Step::again;
    }
    auto flight = read_flight(*destination(), *round_, round_limit());
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
    if (flight_->changes.empty()) {
        land(now);
        return;
    }
    activity("delivering", target_.c_str());
    targets::Batch batch{flight_->sources, flight_->mappings, flight_->changes, desk_.clock.next()};
    flight_->place = std::max(flight_->place, pg::flush_wal()); // the version's reservation too
    delivery::Settings settings;
    settings.batch_size = flight_->target.batch_size;
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
milliseconds Runner::pump(TimePoint now)
{
    auto &delivery = *flight_->delivery;
    if (delivery.requests() == 0 && !pg::confirmed_by_standbys(flight_->place))
        return standby_nap;
    const bool embedded = flight_->target.kind->capabilities().embedded;
    while (!delivery.finished()) {
        if (!bucket_.take(now))
            return std::max(milliseconds{1}, until(bucket_.next(now), now));
        auto outgoing = delivery.next(now);
        if (!outgoing) {
            bucket_.give_back();
            break;
        }
        if (embedded) {
            const auto fail = flight_->target.description.options.find("fail");
            const auto response = execute_embedded(target_, outgoing->request, fail == flight_->target.description.options.end() ? "" : fail->second);
            delivery.answer(outgoing->id, response, now);
            continue;
        }
        const auto &access = flight_->target.description.access_to(outgoing->request.peer);
        tickets_[desk_.client.send(std::move(outgoing->request), access, flight_->target.limits)] = outgoing->id;
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
    settle(desk_.instance, target_, *round_, *flight_, has_exceptions_);
    has_exceptions_ = has_exceptions_ || !flight_->refusals.empty() || !flight_->doubts.empty();
    news_ = news_ || !flight_->refusals.empty() || !flight_->doubts.empty() || !round_->truncated.empty() || !round_->dependents.empty();
    const auto flight = std::move(flight_);
    if (flight->delivery) {
        note_delivery(target_, *flight, *round_);
        if (flight->delivery->newer_version() > 0)
            desk_.clock.observe(flight->delivery->newer_version());
        if (flight->delivery->trouble() && flight->delivery->trouble()->unprepared) {
            news_ = true;
            for (const auto &now_declared : destination()->syncs)
                if (now_declared->sync.table == flight->declared[*flight->delivery->trouble()->unprepared]->sync.table)
                    now_declared->prepared = false;
        }
        if (flight->delivery->trouble())
            trouble(*flight->delivery->trouble(), now);
        else
            success();
    }
    const bool job = round_->kind == Round::Kind::backfill || round_->kind == Round::Kind::sweep;
    if (job && !flight->troubled.empty())
        job_retries_[round_->job.table] = later(now, job_pause, flight->pause[round_->job.table]);
    if (round_->kind == Round::Kind::backfill || round_->items.empty()) {
        adopt_cursors(*round_);
        round_.reset();
    }
}

void Runner::adopt_cursors(const Round &round)
{
    if (round.kind != Round::Kind::log)
        return;
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
        const unsigned failures = apart_retries_[table].failures;
        const auto pause = round.pause.find(table);
        apart_retries_[table] = later(now, std::min(apart_maximum, apart_initial * (1 << std::min(failures, 6U))),
                                      pause == round.pause.end() ? milliseconds{0} : pause->second);
        apart_retries_[table].failures = failures + 1;
    }
}

} // namespace autosync::worker
