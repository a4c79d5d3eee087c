#include "worker/runner.hpp"

#include <algorithm>
#include <cstdlib>

#include "config/settings.hpp"
#include "outbox/log.hpp"
#include "pg/spi.hpp"
#include "pg/wal.hpp"
#include "worker/embedded.hpp"
#include "worker/progress.hpp"
#include "worker/shared.hpp"
#include "worker/worker.hpp"

namespace autosync::worker {

using std::chrono::milliseconds;
using targets::Outcome;

namespace {

constexpr milliseconds forever{3'600'000};
constexpr milliseconds turn_budget{50};      // then the other targets have their turn
constexpr milliseconds standby_nap{10};
constexpr milliseconds job_pause{1'000};     // after a job could not read its table
constexpr milliseconds apart_initial{100};   // a table that could not be locked or read is tried again after so long
constexpr milliseconds apart_maximum{5'000};
constexpr std::chrono::hours collect_every{1};
constexpr std::chrono::hours tombstone_age{24};
constexpr std::size_t errand_limit = 1'000;

milliseconds until(Runner::TimePoint then, Runner::TimePoint now)
{
    return then <= now ? milliseconds{0} : std::chrono::duration_cast<milliseconds>(then - now) + milliseconds{1};
}

} // namespace

Runner::Runner(Desk &desk, std::string target, std::map<Oid, outbox::Cursor> cursors)
    : desk_{desk}, target_{std::move(target)}, cursors_{std::move(cursors)}, breaker_{{}, static_cast<std::uint32_t>(std::rand())}
{
    cursors_[InvalidOid].target = target_;
}

void Runner::catalog_loaded()
{
    apart_retries_.clear(); // what stood in the way may be mended
    const Destination *const now = destination();
    if (now == nullptr)
        return;
    for (auto at = cursors_.begin(); at != cursors_.end();) {
        const bool gone = at->first != InvalidOid && now->find(at->first) == nullptr;
        at = gone ? cursors_.erase(at) : std::next(at);
    }
    if (const auto *const access = any_access(); access != nullptr) {
        breaker_.limits(access->backoff);
        bucket_.rate(access->rate_limit);
        if (trouble_ && trouble_->outcome == Outcome::unauthorized)
            breaker_.reset(); // credentials may have been set
    }
}

const config::Target *Runner::any_access() const
{
    const Destination *const now = destination();
    if (now == nullptr || now->access.empty())
        return nullptr;
    return &now->access.rbegin()->second;
}

std::size_t Runner::round_limit() const
{
    const auto *const access = any_access();
    const auto capabilities = access->kind->capabilities();
    return std::min(access->batch_size, capabilities.max_batch) * std::max(1U, std::min(access->max_in_flight, capabilities.max_in_flight)) *
           (capabilities.embedded ? 4 : 1);
}

milliseconds Runner::turn(TimePoint now, bool look, const Agenda &agenda)
{
    const TimePoint end = now + turn_budget;
    paused_ = agenda.paused;
    has_exceptions_ = has_exceptions_ || agenda.has_exceptions;
    bool looking = look;
    for (;;) {
        if (flight_) {
            const auto patience = pump(now);
            if (flight_) {
                publish_state(now);
                return patience;
            }
            looking = true;
        }
        if (errand_)
            return forever;
        publish_state(now);
        if (paused_ || destination() == nullptr || any_access() == nullptr || !any_access()->enabled)
            return forever;
        if (const auto resume = std::max(resume_at_, breaker_.open_until()); now < resume)
            return until(resume, now);
        Step step = Step::nothing;
        if (round_)
            step = go_on(now);
        else if (looking)
            step = start(now, agenda);
        now = std::chrono::steady_clock::now();
        if (step == Step::nothing)
            break;
        if (step == Step::again && now > end)
            return milliseconds{0};
    }
    milliseconds patience = agenda.due ? std::max(milliseconds{1}, *agenda.due) : forever;
    for (const auto &[table, retry] : apart_retries_)
        patience = std::min(patience, std::max(milliseconds{1}, until(retry.at, now)));
    if (agenda.has_jobs)
        patience = std::min(patience, std::max(milliseconds{1}, until(job_at_, now)));
    return patience;
}

Runner::Step Runner::start(TimePoint now, const Agenda &agenda)
{
    const Destination &to = *destination();
    if (const auto *const access = any_access(); !access->problem.empty()) {
        trouble({Outcome::unauthorized, access->problem, std::nullopt}, now);
        return Step::nothing;
    }
    if (const Step step = prepare_syncs(to); step != Step::nothing)
        return step;
    if (const Step step = catch_up_apart(to, now); step != Step::nothing)
        return step;
    if (job_next_ && agenda.has_jobs) { // a busy log must not starve a backfill
        job_next_ = false;
        if (const Step step = do_job(to, now); step != Step::nothing)
            return step;
    }
    if (const Step step = read_log(to); step != Step::nothing) {
        job_next_ = true;
        return step;
    }
    if (agenda.due && *agenda.due <= milliseconds{0}) {
        if (const Step step = do_due(to); step != Step::nothing)
            return step;
    }
    if (agenda.has_jobs) {
        if (const Step step = do_job(to, now); step != Step::nothing)
            return step;
    }
    return collect(to, now);
}

Runner::Step Runner::prepare_syncs(const Destination &to)
{
    for (const auto &declared : to.syncs) {
        if (declared->prepared || declared->mapping == nullptr)
            continue;
        Errand errand;
        errand.target = to.access.at(declared->sync.owner);
        const auto requests = errand.target.kind->prepare(errand.target.description, declared->sync.source, *declared->mapping);
        if (requests.empty()) {
            declared->prepared = true;
            continue;
        }
        errand.kind = Errand::Kind::prepare;
        errand.declared = declared;
        errand.requests.assign(requests.begin(), requests.end());
        return run(std::move(errand));
    }
    return Step::nothing;
}

/// Tables that lag behind: once they have nothing left, they follow the main cursor again. What that has not passed of them is then
/// delivered twice at most, never missed.
Runner::Step Runner::catch_up_apart(const Destination &to, TimePoint now)
{
    for (const auto &[table, cursor] : cursors_) {
        if (table == InvalidOid || now < apart_retries_[table].at)
            continue;
        Round round = gather_log(desk_.instance, to, cursor, cursors_, round_limit());
        if (round.items.empty() && round.truncated.empty() && round.lagging.empty() && round.caught_up) {
            pg::transaction([&] {
                const pg::ActiveSnapshot snapshot;
                outbox::drop_cursor(desk_.instance, cursor);
                // It may have passed this table's changes in memory only; whoever waits for them looks at the records.
                outbox::save_cursor(desk_.instance, cursors_.at(InvalidOid));
            });
            apart_retries_.erase(table);
            cursors_.erase(table);
            return Step::again;
        }
        return begin(std::move(round));
    }
    return Step::nothing;
}

Runner::Step Runner::read_log(const Destination &to)
{
    Round round = gather_log(desk_.instance, to, cursors_.at(InvalidOid), cursors_, round_limit());
    if (round.items.empty() && round.truncated.empty() && round.lagging.empty()) {
        cursors_.at(InvalidOid) = round.after; // in memory only: nothing happened that is worth a record
        return round.caught_up ? Step::nothing : Step::again;
    }
    return begin(std::move(round));
}

Runner::Step Runner::do_due(const Destination &to)
{
    Round round = gather_due(desk_.instance, to, round_limit());
    return round.items.empty() ? Step::nothing : begin(std::move(round));
}

Runner::Step Runner::do_job(const Destination &to, TimePoint now)
{
    if (now < job_at_)
        return Step::nothing;
    for (auto &job : load_jobs(desk_.instance, target_)) {
        if (job.kind == "purge") {
            Errand errand;
            errand.kind = Errand::Kind::purge;
            errand.target = *any_access();
            errand.declared = declared_for_purge(target_, job, errand.target);
            if (errand.declared->mapping == nullptr) {
                settle_purge(desk_.instance, target_, job, 0);
                continue;
            }
            errand.requests.push_back(
                errand.target.kind->purge(errand.target.description, errand.declared->sync.source, *errand.declared->mapping, errand_limit));
            errand.job = std::move(job);
            return run(std::move(errand));
        }
        const auto declared = to.find(job.table);
        if (declared == nullptr || declared->mapping == nullptr || cursors_.contains(job.table))
            continue; // in trouble as a whole: later
        if (job.kind == "sweep") {
            Errand errand;
            errand.kind = Errand::Kind::enumerate;
            errand.target = to.access.at(declared->sync.owner);
            errand.declared = declared;
            errand.requests.push_back(errand.target.kind->enumerate(errand.target.description, declared->sync.source, *declared->mapping, job.position,
                                                                    errand_limit));
            errand.job = std::move(job);
            return run(std::move(errand));
        }
        if (!job.started)
            start_job(desk_.instance, target_, job, *declared);
        Round round;
        round.kind = Round::Kind::backfill;
        round.job = std::move(job);
        return begin(std::move(round));
    }
    return Step::nothing;
}

Runner::Step Runner::collect(const Destination &to, TimePoint now)
{
    if (now < collect_at_ || to.syncs.empty())
        return Step::nothing;
    const bool first = collect_at_ == TimePoint{};
    collect_at_ = now + collect_every;
    if (first)
        return Step::nothing;
    Errand errand;
    errand.kind = Errand::Kind::collect;
    errand.target = *any_access();
    for (const auto &declared : to.syncs) {
        if (declared->mapping == nullptr)
            continue;
        if (auto request = errand.target.kind->collect(errand.target.description, declared->sync.source, *declared->mapping, tombstone_age, errand_limit))
            errand.requests.push_back(std::move(*request));
    }
    return errand.requests.empty() ? Step::nothing : run(std::move(errand));
}

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
        adopt_cursors(*round_);
        round_.reset();
        return Step::again;
    }
    auto flight = read_flight(*destination(), *round_, round_limit());
    launch(std::move(flight), now);
    return Step::again;
}

void Runner::launch(std::unique_ptr<Flight> flight, TimePoint now)
{
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
        tickets_[desk_.client.send(std::move(outgoing->request), flight_->target.description.access, flight_->target.limits)] = outgoing->id;
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
    has_exceptions_ = has_exceptions_ || !flight_->refusals.empty();
    const auto flight = std::move(flight_);
    if (flight->delivery) {
        note_delivery(target_, *flight, *round_);
        if (flight->delivery->newer_version() > 0)
            desk_.clock.observe(flight->delivery->newer_version());
        if (flight->delivery->trouble())
            trouble(*flight->delivery->trouble(), now);
        else
            success();
    }
    const bool job = round_->kind == Round::Kind::backfill || round_->kind == Round::Kind::sweep;
    if (job && !flight->troubled.empty())
        job_at_ = now + job_pause;
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
    if (own == InvalidOid || !round.lagging.contains(own)) {
        cursors_[own] = round.after;
        apart_retries_.erase(own);
    }
    const TimePoint now = std::chrono::steady_clock::now();
    for (const auto &[table, reason] : round.lagging) {
        auto &apart = cursors_[table];
        apart = round.before;
        apart.source = table;
        apart.reason = reason;
        auto &retry = apart_retries_[table];
        retry.at = now + std::min(apart_maximum, apart_initial * (1 << std::min(retry.failures, 6U)));
        ++retry.failures;
    }
}

Runner::Step Runner::run(Errand errand)
{
    errand_ = std::move(errand);
    activity("preparing", target_.c_str());
    if (errand_->target.kind->capabilities().embedded) {
        while (errand_ && !errand_->requests.empty())
            errand_answered(execute_embedded(target_, errand_->requests.front(), ""), std::chrono::steady_clock::now());
        return Step::again;
    }
    errand_ticket_ = desk_.client.send(errand_->requests.front(), errand_->target.description.access, errand_->target.limits);
    return Step::waiting;
}

bool Runner::answer(http::Client::Ticket ticket, const http::Response &response, TimePoint now)
{
    if (errand_ && ticket == errand_ticket_) {
        errand_answered(response, now);
        return true;
    }
    const auto found = tickets_.find(ticket);
    if (found == tickets_.end())
        return false;
    const auto id = found->second;
    tickets_.erase(found);
    if (flight_ && flight_->delivery)
        flight_->delivery->answer(id, response, now);
    return true;
}

void Runner::errand_answered(const http::Response &response, TimePoint now)
{
    auto &errand = *errand_;
    const targets::Planned planned{errand.requests.front(), {}};
    const auto verdict = errand.target.kind->interpret(errand.target.description, planned, response);
    if (verdict.outcome != Outcome::delivered) {
        if (errand.kind == Errand::Kind::prepare && verdict.outcome == Outcome::refused) {
            errand.declared->problem = verdict.message; // of this sync only
            errand.declared->prepared = true;           // until it is declared anew
        } else {
            trouble({verdict.outcome == Outcome::refused ? Outcome::unreachable : verdict.outcome, verdict.message, verdict.retry_after}, now);
        }
        errand_.reset();
        return;
    }
    errand.requests.pop_front();
    if (errand.kind == Errand::Kind::purge) {
        settle_purge(desk_.instance, target_, errand.job, errand.target.kind->read_count(response).value_or(0));
    } else if (errand.kind == Errand::Kind::enumerate) {
        Round round = sweep_round(errand, errand.target.kind->read_keys(response).value_or(std::vector<std::string>{}), errand_limit);
        errand_.reset();
        round_ = std::move(round);
        return;
    } else if (!errand.requests.empty()) {
        if (!errand.target.kind->capabilities().embedded)
            errand_ticket_ = desk_.client.send(errand.requests.front(), errand.target.description.access, errand.target.limits);
        return;
    } else if (errand.kind == Errand::Kind::prepare) {
        errand.declared->prepared = true;
    }
    errand_.reset();
}

void Runner::trouble(const delivery::Trouble &trouble, TimePoint now)
{
    const bool fresh = !trouble_ || trouble_->outcome != trouble.outcome;
    trouble_ = trouble;
    breaker_.failed(now, trouble.retry_after);
    note_trouble(target_, trouble, until(breaker_.open_until(), now));
    if (fresh && config::settings.log_errors)
        pg::report(LOG, trouble.outcome == Outcome::unauthorized ? ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION : ERRCODE_CONNECTION_FAILURE,
                   "target \"" + target_ + "\" cannot take deliveries", trouble.message, "What is pending is kept and tried again; see autosync.stat_targets.");
}

void Runner::success()
{
    if (trouble_ && config::settings.log_errors)
        pg::report(LOG, ERRCODE_SUCCESSFUL_COMPLETION, "target \"" + target_ + "\" takes deliveries again");
    trouble_.reset();
    breaker_.succeeded();
}

void Runner::publish_state(TimePoint now)
{
    TargetState state = TargetState::active;
    if (paused_)
        state = TargetState::paused;
    else if (trouble_ && trouble_->outcome == Outcome::unauthorized)
        state = TargetState::unauthorized;
    else if (trouble_ && trouble_->outcome == Outcome::throttled)
        state = TargetState::backing_off;
    else if (trouble_)
        state = TargetState::unreachable;
    if (shown_ == state && state == TargetState::active)
        return;
    shown_ = state;
    note_state(target_, state, breaker_.allows(now) ? milliseconds{0} : until(breaker_.open_until(), now));
}

} // namespace autosync::worker
