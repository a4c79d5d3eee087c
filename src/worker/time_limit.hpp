// How long a statement of a sync may run: the functions in a filter are anybody's, and while one sleeps all targets wait.
#pragma once

#include <chrono>

#include "pg/bridge.hpp"

namespace autosync::worker {

/// Cancels what runs in a scope that takes too long. Zero: it may take any time; in a session, where statement_timeout is the user's.
class TimeLimit final {
public:
    explicit TimeLimit(std::chrono::milliseconds limit);
    ~TimeLimit();
    TimeLimit(const TimeLimit &) = delete;
    TimeLimit &operator=(const TimeLimit &) = delete;
    /// Throws SyncTrouble when the error says that the time is over. Its (sub)transaction must be rolled back.
    void judge(const pg::Error &error) const;

private:
    std::chrono::milliseconds limit_;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

} // namespace autosync::worker
