// Lanes: queues within a target. Syncs of one lane share limits of their own and are paused together; one with limits of its own that is in
// none is a lane by itself. A flight is of one lane. A lane that may not send yet lags behind alone: nobody waits for it.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "config/target.hpp"
#include "delivery/retry.hpp"
#include "worker/catalog.hpp"

namespace autosync::worker {

class Lanes final {
public:
    using TimePoint = std::chrono::steady_clock::time_point;

    /// What is declared may have changed; the figures of lanes that stay go on.
    void follow(const Destination &destination);
    /// Says of each sync whether its lane is paused. True: some that were are paused no more.
    bool hold(const Destination &destination, const std::set<std::string> &paused) const;

    /// How many entities may be sent of it at once, `batch_size` of them in a request as the target is declared; 0: none before `wait` is over.
    struct Turn {
        std::size_t entities = 0;
        std::chrono::milliseconds wait{0};
    };
    [[nodiscard]] Turn turn(const std::string &lane, std::size_t batch_size, TimePoint now);
    void sent(const std::string &lane, TimePoint now);
    /// The limits of the lane in place of the target's.
    void apply(const std::string &lane, config::Target &target) const;

private:
    struct Limits {
        std::optional<std::size_t> batch_size;
        std::optional<unsigned> max_in_flight;
        std::optional<double> rate_limit;
        std::optional<std::chrono::milliseconds> request_timeout;
    };
    std::map<std::string, Limits> limits_;
    std::map<std::string, delivery::TokenBucket> buckets_;
};

/// Which lane a sync is in; empty: in none.
[[nodiscard]] std::string lane_of(const config::Sync &sync);

} // namespace autosync::worker
