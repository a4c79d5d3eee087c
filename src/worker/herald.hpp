// Tells, for syncs that ask for it, that a target cannot be reached and that it can again: once each, also when another worker has taken over.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/catalog.hpp"

namespace autosync::worker {

class Herald final {
public:
    Herald(std::int64_t instance, std::string target) : instance_{instance}, target_{std::move(target)} {}

    /// Opens a transaction where there is something to tell. `state`: what stat_targets calls it.
    void unreachable(const std::vector<std::shared_ptr<Declared>> &syncs, const char *state);
    void reached(const std::vector<std::shared_ptr<Declared>> &syncs);

private:
    [[nodiscard]] bool tell(bool reached, const char *state) const;

    std::int64_t instance_;
    std::string target_;
    std::optional<bool> told_; ///< that it cannot be reached; nullopt: an earlier worker knows
};

} // namespace autosync::worker
