// What a target holds of one entity, asked for from a user's backend.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "config/sync.hpp"
#include "config/target.hpp"

namespace autosync::operate {

/// Asks the target, at most for `longest`; raises when the statement is cancelled. `change`: the entity as it is now.
[[nodiscard]] targets::Held ask_for(const config::Sync &sync, const config::Target &target, const mapping::Change &change, const std::string &key,
                                    std::chrono::milliseconds longest);

struct Difference {
    std::string field;
    std::string ours{};   ///< JSON; empty: there is none
    std::string theirs{};
};
/// Field by field, NULL being as good as none. What is not to be there and is differs in all its fields.
[[nodiscard]] std::vector<Difference> differences(const targets::Held &held);

} // namespace autosync::operate
