#include "worker/lane.hpp"

#include <algorithm>

#include "config/connection.hpp"
#include "config/options.hpp"

namespace autosync::worker {

namespace {

constexpr auto own_limits = {"max_in_flight", "rate_limit", "request_timeout"};

template <typename Value> void at_most(std::optional<Value> &limit, Value value) { limit = limit ? std::min(*limit, value) : value; }

} // namespace

std::string lane_of(const config::Sync &sync)
{
    if (const auto *const lane = config::find(sync.options, "lane"))
        return *lane;
    const bool limited = std::any_of(own_limits.begin(), own_limits.end(), [&](const char *option) { return sync.options.contains(option); });
    return limited ? "\n" + std::to_string(sync.table) : std::string{}; // no name of a lane has a line break
}

/// Of several syncs of a lane the most modest one counts.
void Lanes::follow(const Destination &destination)
{
    limits_.clear();
    for (const auto &declared : destination.syncs) {
        if (declared->lane.empty())
            continue;
        auto &limits = limits_[declared->lane];
        const auto &options = declared->sync.options;
        if (options.contains("batch_size"))
            at_most(limits.batch_size, config::number_or(options, "batch_size", std::size_t{1}));
        if (options.contains("max_in_flight"))
            at_most(limits.max_in_flight, config::number_or(options, "max_in_flight", 1U));
        if (const double rate = config::number_or(options, "rate_limit", 0.0); rate > 0)
            at_most(limits.rate_limit, rate);
        if (const auto *const time = config::find(options, "request_timeout"))
            at_most(limits.request_timeout, config::parse_duration(*time));
    }
    std::erase_if(buckets_, [this](const auto &entry) { return !limits_.contains(entry.first); });
    for (const auto &[lane, limits] : limits_)
        buckets_[lane].rate(limits.rate_limit.value_or(0));
}

bool Lanes::hold(const Destination &destination, const std::set<std::string> &paused) const
{
    bool released = false;
    for (const auto &declared : destination.syncs) {
        const bool held = paused.contains(declared->lane);
        released = released || (!held && !declared->held.empty());
        declared->held = held ? "lane \"" + declared->lane + "\" is paused" : std::string{};
    }
    return released;
}

Lanes::Turn Lanes::turn(const std::string &lane, std::size_t batch_size, TimePoint now)
{
    constexpr std::size_t any = 1U << 30;
    const auto bucket = buckets_.find(lane);
    if (bucket == buckets_.end())
        return {any, {}};
    const auto next = bucket->second.next(now);
    if (next > now)
        return {0, std::max(std::chrono::milliseconds{1}, std::chrono::ceil<std::chrono::milliseconds>(next - now))};
    return {std::min(any, bucket->second.available(now)) * std::max<std::size_t>(limits_.at(lane).batch_size.value_or(batch_size), 1), {}};
}

void Lanes::sent(const std::string &lane, TimePoint now)
{
    if (const auto bucket = buckets_.find(lane); bucket != buckets_.end())
        bucket->second.spend(now);
}

void Lanes::apply(const std::string &lane, config::Target &target) const
{
    const auto found = limits_.find(lane);
    if (found == limits_.end())
        return;
    target.max_in_flight = found->second.max_in_flight.value_or(target.max_in_flight);
    target.limits.request_timeout = found->second.request_timeout.value_or(target.limits.request_timeout);
}

} // namespace autosync::worker
