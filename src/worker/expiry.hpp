// Changes that a target has not got in time: after event_ttl they are given up.
#pragma once

#include <cstdint>

#include "worker/round.hpp"

namespace autosync::worker {

/// Changes of this sync captured before this time have expired, in microseconds since 2000; 0: none ever does.
[[nodiscard]] std::int64_t expiry_of(const Destination &destination, const Declared &declared);
/// Some change for this target may expire.
[[nodiscard]] bool expires(const Destination &destination);
/// Moves what has expired from the round's items to Round::expired. An entity whose newest change has not is left as it is.
void expire(const Destination &destination, Round &round);
/// Writes down what the round gives up; needs a transaction. Tables that are returned are to stay behind: a session is deciding on them.
[[nodiscard]] std::set<Oid> note_expired(std::int64_t instance, const std::string &target, const Round &round);
/// Gives up what was refused, or marked by hand, too long ago; how many. In a transaction of its own.
std::int64_t expire_marks(std::int64_t instance, const Destination &destination);

} // namespace autosync::worker
