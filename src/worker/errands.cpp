// A runner's errands: what it asks of the target beside its rounds.

#include <algorithm>

#include "pg/spi.hpp"
#include "worker/advance.hpp"
#include "worker/embedded.hpp"
#include "worker/progress.hpp"
#include "worker/rebuild.hpp"
#include "worker/removal.hpp"
#include "worker/runner.hpp"
#include "worker/worker.hpp"

namespace autosync::worker {

using targets::Outcome;

namespace {

constexpr std::chrono::hours collect_every{1};
constexpr std::chrono::hours tombstone_age{24};
constexpr std::size_t errand_limit = 1'000;  // keys or things per request
constexpr std::chrono::milliseconds job_pause{1'000}; // after jobs whose tables are in trouble
constexpr std::chrono::milliseconds job_glance{100};  // after jobs that are gone, or being asked for anew

} // namespace

Runner::Step Runner::prepare_syncs(const Destination &to)
{
    for (const auto &declared : to.syncs) {
        if (declared->prepared || declared->mapping == nullptr)
            continue;
        Errand errand;
        errand.target = std::make_shared<config::Target>(to.access.at(declared->sync.owner));
        const auto requests = errand.target->kind->prepare(errand.target->description, declared->sync.source, *declared->mapping);
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

Runner::Step Runner::do_job(const Destination &to, TimePoint now)
{
    if (now < job_at_)
        return Step::nothing;
    auto jobs = load_jobs(desk_.instance, target_);
    if (Catalog::stale()) // they are done as it is declared by now
        return Step::nothing;
    for (auto &job : jobs) {
        if (mapped() && job.kind != "backfill") {
            if (const Step step = do_mapped_job(to, job); step != Step::nothing)
                return step;
            continue;
        }
        if (job.kind == "purge") {
            Errand errand;
            errand.kind = Errand::Kind::purge;
            errand.target = std::make_shared<config::Target>(*any_access());
            errand.declared = declared_for_purge(target_, job, *errand.target);
            if (errand.declared->mapping == nullptr) {
                settle_purge(desk_.instance, target_, job, 0);
                continue;
            }
            const auto &source = errand.declared->sync.source;
            errand.requests.push_back(
                {errand.target->kind->purge(errand.target->description, source, *errand.declared->mapping, errand_limit), {}, nullptr});
            errand.job = std::move(job);
            return run(std::move(errand));
        }
        const auto declared = to.find(job.table);
        if (job.kind == "rebuild" && declared != nullptr && now >= job_retries_[job.table].at) {
            const bool filling = std::ranges::any_of(jobs, [&](const Job &it) { return it.kind == "backfill" && it.table == job.table; });
            if (const Step step = rebuild(to, job, filling); step != Step::nothing)
                return step;
        }
        if (job.kind == "rebuild")
            continue;
        if (declared == nullptr || declared->mapping == nullptr || cursors_.contains(job.table) || now < job_retries_[job.table].at)
            continue; // in trouble as a whole: later
        if (!declared->held.empty())
            continue;
        if (job.kind == "sweep" && declared->history) { // it holds nothing that could be compared
            pg::transaction([&] {
                const pg::ActiveSnapshot snapshot;
                Round round;
                round.kind = Round::Kind::sweep;
                round.job = job;
                round.finished = true;
                finish(desk_.instance, target_, round, {});
            });
            continue;
        }
        if (job.kind == "sweep") {
            Errand errand;
            errand.kind = Errand::Kind::enumerate;
            errand.target = std::make_shared<config::Target>(to.access.at(declared->sync.owner));
            errand.declared = declared;
            const auto &server = errand.target->description;
            errand.requests.push_back(
                {errand.target->kind->enumerate(server, declared->sync.source, *declared->mapping, job.position, errand_limit), {}, nullptr});
            errand.job = std::move(job);
            return run(std::move(errand));
        }
        if (!job.started)
            start_job(desk_.instance, to.access.at(declared->sync.owner), job, *declared);
        Round round;
        round.kind = Round::Kind::backfill;
        round.job = std::move(job);
        return begin(std::move(round));
    }
    job_at_ = now + (jobs.empty() ? job_glance : job_pause); // none can be done for now: no need to ask again at once
    return Step::nothing;
}

/// What the target holds is known here.
Runner::Step Runner::do_mapped_job(const Destination &to, const Job &job)
{
    if (job.kind == "purge") {
        auto removal = plan_removal(desk_.instance, target_, job.table, *any_access());
        if (!removal.planned) { // nothing is left, or only what nobody has a session for: that stays
            settle_purge(desk_.instance, target_, job, 0);
            return Step::again;
        }
        Errand errand;
        errand.kind = Errand::Kind::purge;
        errand.target = std::make_shared<config::Target>(*any_access());
        errand.job = job;
        errand.context = std::move(removal.context);
        errand.keys = std::move(removal.keys);
        errand.requests.push_back(std::move(*removal.planned));
        return run(std::move(errand));
    }
    const auto declared = to.find(job.table);
    if (declared == nullptr || declared->mapping == nullptr || cursors_.contains(job.table))
        return Step::nothing; // in trouble as a whole: later
    if (!declared->held.empty())
        return Step::nothing;
    Errand errand;
    errand.declared = declared;
    errand.job = job;
    return begin(sweep_round(errand, recorded_keys(desk_.instance, target_, job.table, job.position, errand_limit), errand_limit));
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
    errand.target = std::make_shared<config::Target>(*any_access());
    for (const auto &declared : to.syncs) {
        if (declared->mapping == nullptr)
            continue;
        const auto &server = errand.target->description;
        if (auto request = errand.target->kind->collect(server, declared->sync.source, *declared->mapping, tombstone_age, errand_limit))
            errand.requests.push_back({std::move(*request), {}, nullptr});
    }
    return errand.requests.empty() ? Step::nothing : run(std::move(errand));
}

Runner::Step Runner::run(Errand errand)
{
    errand_ = std::move(errand);
    activity("preparing", target_.c_str());
    if (errand_->target->kind->capabilities().embedded) {
        while (errand_ && !errand_->requests.empty())
            errand_answered(execute_embedded(desk_.instance, target_, errand_->requests.front().request, ""), std::chrono::steady_clock::now());
        return Step::again;
    }
    ask(errand_->requests.front().request);
    return Step::waiting;
}

void Runner::ask(http::Request request)
{
    const http::Access access = errand_->target->description.access_to(request); // may be the request's own
    errand_ticket_ = desk_.client.send(std::move(request), access, errand_->target->limits);
}

bool Runner::answer(http::Client::Ticket ticket, const http::Response &response, TimePoint now)
{
    if (errand_ && ticket == errand_ticket_) {
        errand_answered(response, now);
        return true;
    }
    if (keeper_.answer(ticket, response)) {
        news_ = has_exceptions_ = true;
        return true;
    }
    const auto found = tickets_.find(ticket);
    if (found == tickets_.end())
        return false;
    const auto id = found->second;
    tickets_.erase(found);
    if (flight_ && flight_->delivery) {
        flight_->timed_out = flight_->timed_out || response.failure == http::Response::Failure::timeout;
        flight_->delivery->answer(id, response, now);
    }
    return true;
}

void Runner::errand_answered(const http::Response &response, TimePoint now)
{
    auto &errand = *errand_;
    auto verdict = targets::read(*errand.target->kind, errand.target->description, errand.requests.front(), response);
    if (verdict.follow_up) {
        ask(std::move(*verdict.follow_up));
        return;
    }
    if (verdict.outcome != Outcome::delivered) {
        if (errand.context) { // the next attempt sees what has become of the session
            job_at_ = now + job_pause;
            note_setbacks(desk_.instance, target_, *errand.context);
        }
        if (errand.context && (verdict.outcome == Outcome::unauthenticated || verdict.outcome == Outcome::deferred)) {
            errand_.reset();
            return;
        }
        if (errand.kind == Errand::Kind::prepare && verdict.outcome == Outcome::refused) {
            errand.declared->problem = verdict.message; // of this sync only
            errand.declared->unfit = true;
            note_problem(desk_.instance, target_, errand.declared->sync.table, verdict.message);
            errand.declared->prepared = true;           // until it is declared anew
        } else {
            trouble({verdict.outcome == Outcome::refused ? Outcome::unreachable : verdict.outcome, verdict.message, verdict.retry_after}, now,
                    response.failure == http::Response::Failure::timeout);
        }
        errand_.reset();
        go_on_ = true;
        return;
    }
    if (errand.kind == Errand::Kind::rebuild && errand.requests.front().request.method == "POST" && response.status != 200) {
        restart_rebuild(desk_.instance, target_, errand.job); // what was to take the old one's place is gone: that stays
        Catalog::invalidate();
        errand_.reset();
        go_on_ = true;
        return;
    }
    errand.requests.pop_front();
    if (errand.context) {
        forget_keys(desk_.instance, target_, errand.job.table, errand.keys);
        settle_purge(desk_.instance, target_, errand.job, errand.keys.size());
    } else if (errand.kind == Errand::Kind::purge) {
        settle_purge(desk_.instance, target_, errand.job, errand.target->kind->read_count(response).value_or(0));
    } else if (errand.kind == Errand::Kind::enumerate) {
        Round round = sweep_round(errand, errand.target->kind->read_keys(response).value_or(std::vector<std::string>{}), errand_limit);
        errand_.reset();
        round_ = std::move(round);
        return;
    } else if (!errand.requests.empty()) {
        if (!errand.target->kind->capabilities().embedded)
            ask(errand.requests.front().request);
        return;
    } else if (errand.kind == Errand::Kind::prepare) {
        errand.declared->prepared = true;
        note_problem(desk_.instance, target_, errand.declared->sync.table, {});
    } else if (errand.kind == Errand::Kind::rebuild) {
        settle_rebuild(desk_.instance, target_, errand.job);
    }
    errand_.reset();
    go_on_ = true;
}

} // namespace autosync::worker
