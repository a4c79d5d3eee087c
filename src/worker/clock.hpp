// Versions: a hybrid logical clock in microseconds, rising through restarts, restores and wall-clock jumps.
#pragma once

#include <cstdint>

namespace autosync::worker {

class VersionClock final {
public:
    explicit VersionClock(std::int64_t instance) : instance_{instance} {}
    /// A number that was never given out before. Reserved durably once the WAL is flushed, which happens before anything is sent.
    /// Runs transactions of its own.
    [[nodiscard]] std::int64_t next();
    /// A target holds this version: the next ones are higher.
    void observe(std::int64_t version);

private:
    void reserve();

    std::int64_t instance_;
    std::int64_t last_ = 0;
    std::int64_t reserved_ = -1; ///< -1: not read yet
};

} // namespace autosync::worker
