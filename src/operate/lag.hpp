// How far syncs are behind: the option max_lag.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/options.hpp"
#include "pg/postgres.hpp"

namespace autosync::operate {

struct Lag {
    Oid source = InvalidOid;
    std::string target;
    std::chrono::milliseconds most{0}; ///< the option
    TimestampTz oldest = 0;            ///< the oldest change that has not arrived was captured then; 0: none that is older than `most`

    [[nodiscard]] bool late() const { return oldest != 0; }
};

/// The option of a sync; nullopt: it has none.
[[nodiscard]] std::optional<std::chrono::milliseconds> most_lag(const config::Options &options);
/// Fills in `oldest`, as of now. What is given up does not count. The current role must be the extension's owner.
void measure(std::int64_t instance, std::vector<Lag> &lags);

} // namespace autosync::operate
