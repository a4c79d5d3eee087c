// What the rest of the extension sees of this folder besides the shared memory.
#pragma once

namespace autosync::worker {

void register_launcher(); ///< from _PG_init; does nothing unless preloaded, or during pg_upgrade
void install_hooks();     ///< from _PG_init; does nothing unless preloaded

/// For code that runs in a worker: what pg_stat_activity and stat_workers say it is doing. An empty text means idle.
void activity(const char *text, const char *target);
/// For code that runs in a worker: the speed that stat_workers shows.
void pace(double events_per_second);

} // namespace autosync::worker
