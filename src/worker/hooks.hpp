#pragma once

namespace autosync::worker {

/// From _PG_init: statements on databases find the workers gone, CREATE EXTENSION and COMMIT PREPARED wake one. Does nothing unless preloaded.
void install_hooks();

} // namespace autosync::worker
