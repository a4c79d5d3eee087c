// The module: what it defines, hooks and starts.

#include "config/settings.hpp"
#include "pg/bridge.hpp"
#include "pg/fault.hpp"
#include "worker/hooks.hpp"
#include "worker/launcher.hpp"
#include "worker/shared.hpp"

extern "C" {

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void _PG_init(void)
{
    autosync::pg::guard([] {
        AUTOSYNC_DEFINE_FAULTS();
        autosync::config::define_settings();
        if (!process_shared_preload_libraries_in_progress)
            return;
        autosync::worker::request_shared_memory();
        autosync::worker::install_hooks();
        autosync::worker::register_launcher();
    });
}

} // extern "C"
