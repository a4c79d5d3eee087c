// Where a row's record is, written into the row itself.
#pragma once

#include <string>
#include <vector>

#include "worker/catalog.hpp"

namespace autosync::worker {

/// Does the sync name columns for it?
[[nodiscard]] bool writes_back(const config::Sync &sync);
/// Writes URI and CID into the rows whose record has changed, as the table's owner, without an event for this target. A row that somebody
/// has locked is left for the next time. False: there is more.
[[nodiscard]] bool write_back(std::int64_t instance, const config::Sync &sync);
/// Their records are gone, the rows perhaps not.
void forget_records(const config::Sync &sync, const std::vector<std::vector<std::string>> &keys);

} // namespace autosync::worker
