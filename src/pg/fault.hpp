// Faults on purpose: a place that a test can make fail. Only a library built with FAULTS=1 has them; in any other they are nothing.
#pragma once

#ifdef AUTOSYNC_FAULTS
namespace autosync::pg {
/// The setting autosync.faults: 'PLACE:ACTION[:MOST[:PROBABILITY]], …', where ACTION is error, exit, segv or sleep. How often a place has failed
/// is the size of the file autosync_faults/PLACE in the data folder, so that it outlives the crash that it has caused.
void define_faults();
void fault(const char *place);
} // namespace autosync::pg
#define AUTOSYNC_FAULT(place) ::autosync::pg::fault(place)
#define AUTOSYNC_DEFINE_FAULTS() ::autosync::pg::define_faults()
#else
#define AUTOSYNC_FAULT(place) static_cast<void>(0)
#define AUTOSYNC_DEFINE_FAULTS() static_cast<void>(0)
#endif
