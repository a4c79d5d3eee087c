// Targets that can keep history listen to what applications say, whatever is synced to them.
#pragma once

#include "worker/catalog.hpp"

namespace autosync::worker {

/// What applications say of entities that no synced table holds, as if a table had them. Sent with the user mapping for PUBLIC.
void listen(Destination &destination);

} // namespace autosync::worker
