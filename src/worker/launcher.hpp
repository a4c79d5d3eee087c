#pragma once

namespace autosync::worker {

/// From _PG_init: the launcher starts with the server. Does nothing unless preloaded, or during pg_upgrade.
void register_launcher();

} // namespace autosync::worker
