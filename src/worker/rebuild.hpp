// A rebuild: a new collection is filled beside the old one, then takes its place.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "worker/round.hpp"

namespace autosync::worker {

/// What a job of the kind 'rebuild' carries.
struct Rebuild {
    std::string collection;             ///< that is filled
    std::string replaces;               ///< that searches are answered from meanwhile
    std::vector<std::string> abandoned; ///< that earlier requests were filling
    bool filled = false;                ///< all rows that existed are in it
};
[[nodiscard]] Rebuild read_rebuild(const Job &job);

/// Into which collection a sync delivers in place of its own, by target and table. Needs a transaction.
[[nodiscard]] std::map<std::pair<std::string, Oid>, std::string> load_rebuilds(std::int64_t instance);

/// The new one is in its place.
void settle_rebuild(std::int64_t instance, const std::string &target, const Job &job);
/// The new one is gone: it is filled from the start.
void restart_rebuild(std::int64_t instance, const std::string &target, const Job &job);
/// Why the target cannot be prepared for a sync; empty: it is.
void note_problem(std::int64_t instance, const std::string &target, Oid table, const std::string &problem);

} // namespace autosync::worker
