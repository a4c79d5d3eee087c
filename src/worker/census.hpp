// What is worked out now and then for those who watch: how much is pending, also for other databases (stat_cluster), and how fast it goes.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "operate/backlog.hpp"

namespace autosync::worker {

class Census final {
public:
    using Clock = std::chrono::steady_clock;

    /// Measures the pace each second, and counts when it is due and something may have changed: a piece at a time, so that a long log keeps nobody
    /// waiting. `looks`: how often the worker has looked at the outbox. When it goes on with what it has begun; nullopt: it has not. Opens transactions.
    std::optional<Clock::time_point> take(std::int64_t instance, Clock::time_point now, std::uint64_t looks);

private:
    void measure_pace(Clock::time_point now);
    void begin(std::int64_t instance);
    void go_on();
    void publish();

    struct Count {
        operate::Walk walk;
        TimestampTz began;
        operate::Backlogs found{};
    };
    std::optional<Count> count_; ///< under way
    Clock::time_point due_{};
    Clock::time_point paced_at_{};
    std::uint64_t looks_ = 0;
    bool counted_ = false;
    bool some_ = false; ///< something was pending
};

} // namespace autosync::worker
