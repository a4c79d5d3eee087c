// What is noted of new files under synced tables (outbox/rewrites), against their signatures.
#pragma once

#include <string>
#include <vector>

namespace autosync::worker {

/// What is noted so far: to be forgotten once all signatures taken after this are written down.
[[nodiscard]] std::vector<std::string> noted_rewrites();
void forget_rewrites(const std::vector<std::string> &noted);

/// The signature `before` with those files replaced by the ones in `now` that are new for a reason which this target need not care about: a
/// TRUNCATE that it hears of by an event, rows copied as they are.
[[nodiscard]] std::string explained(const std::string &before, const std::string &now, const std::string &target);

} // namespace autosync::worker
