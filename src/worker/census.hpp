// What other databases see of this one (stat_cluster): how much is pending, counted now and then.
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
    Clock::time_point due_{};
    std::uint64_t looks_ = 0;
    bool counted_ = false;
    bool some_ = false; ///< something was pending
};

} // namespace autosync::worker
