// max_tokens_per_day: what a sync may have embedded in a day, counted where a crash does not forget it.
#pragma once

#include <cstdint>
#include <string>

#include "config/sync.hpp"

namespace autosync::worker {

/// Of one sync. What is under way when it is used up is delivered, so it may be exceeded by one round.
struct Budget {
    std::int64_t limit = 0; ///< 0: none
    std::int64_t used = 0;
    std::int64_t day = 0;   ///< of `used`: days since 2000-01-01, UTC

    /// Why nothing may be embedded for now; empty: go on.
    [[nodiscard]] std::string problem() const;
};

/// As the sync declares it and as far as it is used up. Needs a transaction.
[[nodiscard]] Budget load_budget(std::int64_t instance, const config::Sync &sync);
/// Notes what was spent; nothing when there is no limit. Needs a transaction.
void spend(std::int64_t instance, const config::Sync &sync, Budget &budget, std::int64_t tokens);

} // namespace autosync::worker
