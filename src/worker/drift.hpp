// Tables that look otherwise than when they were read last, and the work that comes of it.
#pragma once

#include <cstdint>

#include "config/sync.hpp"
#include "pg/spi.hpp"

namespace autosync::worker {

/// Does the absence of a row remove? Only where the delete operation is on.
[[nodiscard]] bool removes(const config::Sync &sync);
/// `before`: the signature that was noted last; NULL: none. Notes the one of now, and asks for what the difference makes necessary.
/// False: something has to be over first. Needs a transaction; raises where a session has locked what is to be written.
[[nodiscard]] bool note_drift(std::int64_t instance, const config::Sync &sync, const pg::Cell &before);

} // namespace autosync::worker
