// How each target of this database is doing: shared memory, the log and the tables put together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "operate/backlog.hpp"
#include "pg/postgres.hpp"
#include "worker/shared.hpp"

namespace autosync::operate {

struct State {
    std::string target;
    std::string kind;
    std::string state; ///< as stat_targets names it
    std::int64_t pending = 0;
    std::int64_t retrying = 0;
    std::int64_t failed = 0;
    std::int64_t waiting_auth = 0;
    std::vector<std::string> paused_lanes;
    TimestampTz oldest_pending = 0; ///< 0: nothing is pending
    worker::TargetSlot slot{};      ///< all zero without a worker so far
};

/// All targets by name. The current role must be the extension's owner.
[[nodiscard]] std::vector<State> load_states();
/// Likewise, where what lies in the log has been counted before.
[[nodiscard]] std::vector<State> load_states(const Backlogs &waiting);

/// As views name it.
[[nodiscard]] const char *state_name(worker::TargetState state);

/// The slot of this database; nullopt: the launcher does not know it (yet), or there is no launcher.
[[nodiscard]] std::optional<worker::DatabaseSlot> own_slot();

} // namespace autosync::operate
