// The option debounce: changes of an entity are gathered for a while, and delivered once.
#pragma once

#include <set>

#include "worker/round.hpp"

namespace autosync::worker {

/// Moves what is still being gathered from the round's items to Round::held.
void hold_back(const Destination &destination, Round &round);
/// Writes that down; needs a transaction. Tables that are returned are to stay behind.
[[nodiscard]] std::set<Oid> note_held(std::int64_t instance, const std::string &target, const Round &round);

} // namespace autosync::worker
