#include "delivery/delivery.hpp"

#include <algorithm>
#include <exception>
#include <iterator>
#include <new>
#include <numeric>
#include <utility>

#include "delivery/excerpt.hpp"
#include "delivery/retry.hpp"

namespace autosync::delivery {
namespace {

using targets::Outcome;
using State = Result::State;
using TimePoint = std::chrono::steady_clock::time_point;

constexpr std::size_t message_limit = 1'000;
constexpr std::size_t answer_limit = 2'000;
constexpr std::size_t follow_up_limit = 16; // and a few per change: a dialogue may have to ask for each alone
constexpr BackoffLimits transient{std::chrono::milliseconds{25}, std::chrono::milliseconds{2'000}};

} // namespace

Delivery::Delivery(const targets::Target &target, const targets::Server &server, const targets::Batch &batch, Settings settings)
    : target_{target},
      server_{server},
      batch_{batch},
      settings_{settings},
      random_{static_cast<std::minstd_rand::result_type>(batch.version)},
      results_(batch.changes.size())
{
    const auto capabilities = target.capabilities();
    settings_.batch_size = std::clamp<std::size_t>(settings_.batch_size, 1, std::max<std::size_t>(capabilities.max_batch, 1));
    settings_.max_in_flight = std::clamp(settings_.max_in_flight, 1U, std::max(capabilities.max_in_flight, 1U));
    Indexes all(batch.changes.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    waiting_ = plan(all, settings_.batch_size);
}

/// Jobs for these changes. A change that makes the target throw must not cost the others their delivery: halved until it is alone.
std::deque<Delivery::Job> Delivery::plan(const Indexes &which, std::size_t most)
{
    std::deque<Job> jobs;
    if (which.empty())
        return jobs;
    std::vector<targets::Planned> planned;
    try {
        planned = target_.plan(server_, batch_, which, most);
    } catch (const std::bad_alloc &) {
        throw;
    } catch (const std::exception &problem) {
        if (which.size() == 1) {
            auto &result = results_[which.front()];
            result.state = State::refused;
            result.message = shown(problem.what(), message_limit);
            return jobs;
        }
        const auto middle = which.begin() + static_cast<std::ptrdiff_t>(which.size() / 2);
        jobs = plan({which.begin(), middle}, most);
        auto second = plan({middle, which.end()}, most);
        std::move(second.begin(), second.end(), std::back_inserter(jobs));
        return jobs;
    }
    for (const auto change : which)
        results_[change].state = State::delivered;
    for (auto &request : planned) {
        for (const auto change : request.changes)
            results_[change].state = State::open;
        jobs.push_back({std::move(request), std::nullopt, 0, 0, {}, false});
    }
    return jobs;
}

std::optional<Delivery::Outgoing> Delivery::next(TimePoint now)
{
    if (trouble_ || flying_.size() >= settings_.max_in_flight)
        return std::nullopt;
    const auto found = std::find_if(waiting_.begin(), waiting_.end(), [&](const Job &job) { return job.not_before <= now; });
    if (found == waiting_.end())
        return std::nullopt;
    Outgoing outgoing{++last_id_, found->follow_up ? *found->follow_up : found->planned.request};
    flying_.emplace(outgoing.id, std::move(*found));
    waiting_.erase(found);
    ++requests_;
    bytes_ += outgoing.request.body.size();
    return outgoing;
}

void Delivery::answer(Id id, const http::Response &response, TimePoint now)
{
    auto found = flying_.extract(id);
    if (found.empty())
        return;
    auto &job = found.mapped();
    auto verdict = targets::read(target_, server_, job.planned, response);
    job.resent = job.resent || (response.resent && (job.follow_up ? *job.follow_up : job.planned.request).method != "GET");
    if (verdict.usage != embed::Usage{} && !job.planned.changes.empty())
        usage_[batch_.changes[job.planned.changes.front()].source] += verdict.usage;
    if (!verdict.follow_up) {
        settle(std::move(job), verdict, response, now);
        return;
    }
    if (trouble_)
        return; // not asked any more: open
    if (++job.follow_ups > follow_up_limit + 4 * job.planned.changes.size()) {
        give_up(Outcome::unknown, "the target asks for ever further requests", std::nullopt);
        return;
    }
    job.follow_up = std::move(verdict.follow_up);
    waiting_.push_front(std::move(job));
}

void Delivery::stop()
{
    const auto untouched = std::erase_if(waiting_, [](const Job &job) { return !job.follow_up && job.tries == 0; });
    stopped_ = stopped_ || untouched > 0;
}

void Delivery::settle(Job job, const targets::Verdict &verdict, const http::Response &response, TimePoint now)
{
    const bool several = job.planned.changes.size() > 1;
    if (verdict.outcome == Outcome::unknown || job.resent)
        for (const auto change : job.planned.changes)
            results_[change].in_doubt = true;
    if (verdict.halve && several) {
        split(job);
        return;
    }
    if (verdict.again) {
        ask_again(std::move(job), verdict, now);
        return;
    }
    switch (verdict.outcome) {
    case Outcome::delivered:
        for (const auto change : job.planned.changes)
            results_[change].state = State::delivered;
        break;
    case Outcome::stale: // open: they are sent again under a clock that has risen above it
        newer_version_ = std::max(newer_version_, verdict.newer_version);
        break;
    case Outcome::refused:
    case Outcome::conflict:
        if (several)
            split(job);
        else
            refuse(std::move(job), verdict, response);
        break;
    case Outcome::unauthenticated:
    case Outcome::deferred:
        for (const auto change : job.planned.changes) {
            auto &result = results_[change];
            result.state = State::waiting;
            result.message = shown(verdict.message, message_limit);
            result.authentication = verdict.outcome == Outcome::unauthenticated;
            result.retry_after = verdict.retry_after;
        }
        break;
    case Outcome::unknown:
    case Outcome::throttled:
    case Outcome::unauthorized:
    case Outcome::unreachable:
        give_up(verdict.outcome, verdict.message, verdict.retry_after);
        if (verdict.unprepared && !job.planned.changes.empty())
            trouble_->unprepared = batch_.changes[job.planned.changes.front()].source;
        break;
    }
}

void Delivery::ask_again(Job job, const targets::Verdict &verdict, TimePoint now)
{
    if (trouble_)
        return;
    if (job.tries == settings_.transient_retries) {
        give_up(Outcome::unreachable, verdict.message, verdict.retry_after);
        return;
    }
    ++job.tries;
    job.not_before = now + backoff(transient, job.tries, random_);
    waiting_.push_front(std::move(job));
}

void Delivery::split(const Job &job)
{
    if (trouble_)
        return;
    const auto &changes = job.planned.changes;
    const auto middle = changes.begin() + static_cast<std::ptrdiff_t>(changes.size() / 2);
    auto jobs = plan({changes.begin(), middle}, changes.size());
    auto second = plan({middle, changes.end()}, changes.size());
    std::move(second.begin(), second.end(), std::back_inserter(jobs));
    waiting_.insert(waiting_.begin(), std::make_move_iterator(jobs.begin()), std::make_move_iterator(jobs.end()));
}

void Delivery::refuse(Job job, const targets::Verdict &verdict, const http::Response &response)
{
    for (const auto change : job.planned.changes) {
        auto &result = results_[change];
        result.state = State::refused;
        result.message = shown(verdict.message, message_limit);
        result.answer = shown(response.failure == http::Response::Failure::none ? response.body : response.error, answer_limit);
        result.request = std::move(job.follow_up ? *job.follow_up : job.planned.request);
    }
}

/// The first reason stands; of several times to come back the latest does.
void Delivery::give_up(Outcome outcome, const std::string &message, std::optional<std::chrono::seconds> retry_after)
{
    if (!trouble_)
        trouble_ = Trouble{outcome, shown(message, message_limit), std::nullopt};
    if (retry_after)
        trouble_->retry_after = std::max(trouble_->retry_after.value_or(*retry_after), *retry_after);
    waiting_.clear();
}

TimePoint Delivery::retry_at() const
{
    auto earliest = TimePoint::max();
    if (!trouble_ && flying_.size() < settings_.max_in_flight)
        for (const auto &job : waiting_)
            earliest = std::min(earliest, job.not_before);
    return earliest;
}

bool Delivery::finished() const { return flying_.empty() && waiting_.empty(); }

std::string Delivery::shown(std::string_view text, std::size_t limit) const 
{
    return server_.embedder ? excerpt(text, limit, {&server_.access, &server_.embedder->access}) : excerpt(text, limit, {&server_.access});
}

} // namespace autosync::delivery
