// For code that runs in a worker: how it tells what it is doing.
#pragma once

namespace autosync::worker {

/// Shown by pg_stat_activity and stat_workers. An empty text means idle; an empty target, none in particular.
void activity(const char *text, const char *target);
/// The speed that stat_workers shows.
void pace(double events_per_second);

} // namespace autosync::worker
