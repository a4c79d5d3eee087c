#include "worker/runner.hpp"

#include <algorithm>
#include <random>
#include <tuple>
#include <utility>

#include "config/settings.hpp"
#include "outbox/history.hpp"
#include "outbox/log.hpp"
#include "pg/spi.hpp"
#include "worker/progress.hpp"
#include "worker/time.hpp"

namespace autosync::worker {

using std::chrono::milliseconds;
using targets::Outcome;

namespace {

constexpr milliseconds turn_budget{50};   // then the other targets have their turn
constexpr milliseconds record_every{200}; // while more follows: a record costs the next request a flush, and a crash repeats so much

auto parts(const http::Access &it)
{
    return std::tie(it.url, it.username, it.password, it.bearer_token, it.secret_headers, it.sslmode, it.sslrootcert, it.sslcert, it.sslkey);
}

} // namespace

Runner::Runner(Desk &desk, std::string target, std::map<Oid, outbox::Cursor> cursors)
    : desk_{desk},
      target_{std::move(target)},
      cursors_{std::move(cursors)},
      keeper_{desk.instance, target_, desk.client},
      breaker_{{}, std::random_device{}()},
      herald_{desk.instance, target_},
      early_{desk.instance, target_}
{
    cursors_[InvalidOid].target = target_;
}

Runner::~Runner()
{
    for (const auto &[ticket, id] : tickets_)
        desk_.client.cancel(ticket);
    if (errand_)
        desk_.client.cancel(errand_ticket_);
}

/// What stood in the way may be mended. What takes long to try is tried in vain only when it is declared otherwise.
void Runner::forget_retries(std::map<Oid, Retry> &retries) const
{
    std::erase_if(retries, [this](const auto &entry) {
        const auto declared = destination()->find(entry.first);
        return !entry.second.costly || declared == nullptr || declared->reader == nullptr;
    });
}

void Runner::catalog_loaded()
{
    const Destination *const now = destination();
    if (now == nullptr)
        return;
    stretch_.follow(*now);
    lanes_.follow(*now);
    forget_retries(apart_retries_);
    forget_retries(job_retries_);
    for (auto at = cursors_.begin(); at != cursors_.end();) {
        if (at->first == InvalidOid || now->find(at->first) != nullptr || at->first == outbox::history_source) {
            ++at;
            continue;
        }
        // The sync is gone, and nobody waits for what was behind.
        pg::transaction([&] {
            const pg::ActiveSnapshot snapshot;
            outbox::drop_cursor(desk_.instance, at->second);
            outbox::save_cursor(desk_.instance, cursors_.at(InvalidOid));
        });
        at = cursors_.erase(at);
    }
    if (const auto *const access = any_access(); access != nullptr) {
        breaker_.limits(access->backoff);
        bucket_.rate(access->rate_limit);
        // Whoever corrects where it is, or who asks, has it asked. Permissions at the target may have been what was declared anew for.
        if (parts(access_) != parts(access->description.access) || (trouble_ && trouble_->outcome == Outcome::unauthorized))
            breaker_.reset();
        access_ = access->description.access;
    }
}

const config::Target *Runner::any_access() const
{
    const Destination *const now = destination();
    if (now == nullptr || now->access.empty())
        return nullptr;
    const auto usable = std::find_if(now->access.begin(), now->access.end(), [](const auto &entry) { return entry.second.problem.empty(); });
    return usable == now->access.end() ? &now->access.begin()->second : &usable->second;
}

bool Runner::mapped() const
{
    const auto *const access = any_access();
    return access != nullptr && access->kind->capabilities().mapped;
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
    const auto patience = keep_identities(now);
    return std::min(patience, go_round(now, look, agenda));
}

milliseconds Runner::go_round(TimePoint now, bool look, const Agenda &agenda)
{
    const TimePoint end = now + turn_budget;
    paused_ = agenda.paused;
    has_exceptions_ = has_exceptions_ || agenda.has_exceptions;
    bool looking = look || std::exchange(go_on_, false);
    if (destination() != nullptr && lanes_.hold(*destination(), agenda.paused_lanes)) {
        forget_retries(apart_retries_);
        forget_retries(job_retries_);
        job_at_ = {};
        looking = true;
    }
    if (early_.follow_up())
        has_exceptions_ = news_ = true;
    looking = looking || early_.waiting();
    for (;;) {
        if (flight_) {
            const auto patience = pump(now, paused_ || agenda.paused_lanes.contains(flight_->lane));
            if (flight_) {
                publish_state(now);
                return patience;
            }
            looking = true;
        }
        if (errand_)
            return forever;
        publish_state(now);
        if (paused_ || destination() == nullptr || any_access() == nullptr || !any_access()->enabled) {
            early_.refuse(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, paused_ ? "the target is paused" : "the target is switched off");
            expire_held_up(now);
            record();
            return forever;
        }
        if (now < breaker_.open_until() && take_hurry(target_))
            breaker_.reset();
        if (now < breaker_.open_until()) {
            early_.refuse(trouble_ ? sqlstate_of(trouble_->outcome, timed_out_) : ERRCODE_CONNECTION_FAILURE, trouble_ ? trouble_->message : "the target is given a rest");
            expire_held_up(now);
            record();
            return until(breaker_.open_until(), now);
        }
        Step step = Step::nothing;
        if (round_) {
            step = prepare_syncs(*destination()); // the target may have lost what it lived in meanwhile
            if (step == Step::nothing)
                step = go_on(now);
        } else if (early_.waiting()) {
            step = send_early(now);
        } else if (looking) {
            step = start(now, agenda);
        }
        now = std::chrono::steady_clock::now();
        if (step == Step::nothing)
            break;
        if (step == Step::again && now > end)
            return milliseconds{0};
    }
    record();
    if (std::exchange(news_, false))
        return milliseconds{0};
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
    if (Catalog::stale())
        return Step::nothing;
    if (const Step step = prepare_syncs(to); step != Step::nothing)
        return step;
    // Whatever had its turn goes to the end of the line: a busy log starves no backfill, a table that lags behind no other one.
    for (auto work = line_.begin(); work != line_.end(); ++work) {
        if (const Step step = take_up(*work, to, now, agenda); step != Step::nothing) {
            std::rotate(work, work + 1, line_.end());
            return step;
        }
    }
    return collect(to, now);
}

Runner::Step Runner::take_up(Work work, const Destination &to, TimePoint now, const Agenda &agenda)
{
    switch (work) {
    case Work::apart:
        return catch_up_apart(to, now);
    case Work::log:
        return read_log(to);
    case Work::due:
        return agenda.due && *agenda.due <= milliseconds{0} ? do_due(to) : Step::nothing;
    case Work::job:
        return agenda.has_jobs ? do_job(to, now) : Step::nothing;
    }
    return Step::nothing;
}

Runner::Step Runner::read_log(const Destination &to)
{
    Round round = gather_log(desk_.instance, to, cursors_.at(InvalidOid), cursors_, round_limit(), mapped() ? nullptr : &stretch_);
    if (round.items.empty() && round.expired.empty() && round.truncated.empty() && round.lagging.empty() && !round.passed_over) {
        cursors_.at(InvalidOid) = round.after; // in memory only: nothing happened that is worth a record
        return round.caught_up ? Step::nothing : Step::again;
    }
    round.record = !round.after.upto || std::chrono::steady_clock::now() - recorded_at_ >= record_every;
    return begin(std::move(round));
}

/// Before the runner rests: whoever waits for an arrival looks at the records.
void Runner::record()
{
    if (!unrecorded_)
        return;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        outbox::save_cursor(desk_.instance, cursors_.at(InvalidOid));
        outbox::append_history(desk_.instance, target_, carried_);
    });
    carried_.clear();
    unrecorded_ = false;
}

Runner::Step Runner::do_due(const Destination &to)
{
    record(); // after a crash nothing from before a mark may be read again: the mark is gone then
    Round round = gather_due(desk_.instance, to, cursors_, round_limit());
    return round.items.empty() ? Step::nothing : begin(std::move(round));
}

void Runner::trouble(const delivery::Trouble &trouble, TimePoint now, bool timed_out)
{
    const bool fresh = !trouble_ || trouble_->outcome != trouble.outcome;
    trouble_ = trouble;
    timed_out_ = timed_out;
    breaker_.failed(now, trouble.retry_after);
    note_trouble(target_, trouble, until(breaker_.open_until(), now));
    if (destination() != nullptr && trouble.outcome != Outcome::throttled)
        herald_.unreachable(destination()->syncs, trouble.outcome == Outcome::unauthorized ? "unauthorized" : "unreachable");
    if (fresh && config::settings.log_errors)
        pg::report(LOG, trouble.outcome == Outcome::unauthorized ? ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION : ERRCODE_CONNECTION_FAILURE,
                   "target \"" + target_ + "\" cannot take deliveries", trouble.message, "What is pending is kept and tried again; see autosync.stat_targets.");
}

void Runner::success()
{
    if (trouble_ && config::settings.log_errors)
        pg::report(LOG, ERRCODE_SUCCESSFUL_COMPLETION, "target \"" + target_ + "\" takes deliveries again");
    if (destination() != nullptr)
        herald_.reached(destination()->syncs);
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
