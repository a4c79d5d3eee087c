// What is worked out now and then for those who watch: how much is pending, also for other databases (stat_cluster), and how fast it goes.
#pragma once

#include <chrono>
#include <cstdint>

namespace autosync::worker {

class Census final {
public:
    using Clock = std::chrono::steady_clock;

    /// Counts when it is due and something may have changed. `looks`: how often the worker has looked at the outbox. Opens a transaction.
    void take(Clock::time_point now, std::uint64_t looks);

private:
    void measure_pace(Clock::time_point now);

    Clock::time_point due_{};
    Clock::time_point paced_at_{};
    std::uint64_t looks_ = 0;
    bool counted_ = false;
    bool some_ = false; ///< something was pending
};

} // namespace autosync::worker
