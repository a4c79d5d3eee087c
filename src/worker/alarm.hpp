// What an operator wants to be told of by itself: syncs that lag behind further than they may, an outbox that has grown too large.
#pragma once

#include <chrono>
#include <cstdint>

#include "worker/catalog.hpp"

namespace autosync::worker {

class Alarm final {
public:
    using Clock = std::chrono::steady_clock;

    /// Looks now and then; tells when something begins and when it is over. Opens transactions.
    void look(std::int64_t instance, const Catalog &catalog, Clock::time_point now);

private:
    void look_at_lag(std::int64_t instance, const Catalog &catalog, Clock::time_point now);
    void look_at_size();

    Clock::time_point lag_at_{};
    bool was_late_ = true; ///< perhaps, as an earlier worker has noted
    bool was_large_ = false;
};

} // namespace autosync::worker
