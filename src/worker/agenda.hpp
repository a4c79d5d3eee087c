// What waits in tables for each target besides the log: one look for all of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace autosync::worker {

struct Agenda {
    bool paused = false;
    std::set<std::string> paused_lanes;
    bool has_exceptions = false;                   ///< of whatever status
    bool has_jobs = false;
    std::optional<std::chrono::milliseconds> due;  ///< until the next exception's time; nullopt: none waits
};

/// By target; those without anything are left out. Needs a transaction with an active snapshot.
[[nodiscard]] std::map<std::string, Agenda> read_agenda(std::int64_t instance);

} // namespace autosync::worker
