// One row's record, looked at and not written.
#pragma once

#include <memory>
#include <string>

#include "atproto/context.hpp"
#include "config/sync.hpp"
#include "mapping/source.hpp"

namespace autosync::worker {

/// With at most one intent: none when the row is and was no record. Throws std::invalid_argument when it cannot be one now, and says why.
/// In a transaction, with the rights of the extension's owner.
[[nodiscard]] std::unique_ptr<atproto::Context> lone_record(std::int64_t instance, const config::Sync &sync, const mapping::Change &change, const std::string &key);

} // namespace autosync::worker
