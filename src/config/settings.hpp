// autosync's GUCs: one sorted table in settings.cpp, read through these variables.
#pragma once

#include <chrono>

namespace autosync::config {

/// Values of the GUCs, kept up to date by the server. Durations in milliseconds unless said.
struct Settings {
    bool enabled = true;
    bool capture_insert = true;
    bool capture_update = true;
    bool capture_delete = true;
    bool capture_truncate = true;
    bool fail_silently = true;
    bool log_errors = true;
    char *allowed_hosts = nullptr;
    char *correlation_id = nullptr;
    char *instance_id = nullptr;
    char *origin = nullptr;
    char *secrets_directory = nullptr;
    int batch_size = 500;
    int debounce = 0;
    int delivery = 0; ///< 0: nobody waits; wait_for_delivery; deliver_before
    int connect_timeout = 10'000;
    int event_ttl = 0; ///< seconds; 0: never
    int history_retention = 604'800; ///< seconds; 0: nothing is kept
    int history_size = 1'048'576;    ///< kB; 0: nothing is kept
    int max_attempts = 3;
    int max_event_size = 65'536; ///< kB
    int max_in_flight = 4;
    int max_workers = 4;
    int outbox_warn_size = 0; ///< kilobytes; 0: never
    int poll_interval = 5'000;
    int request_timeout = 120'000;
    int retry_initial_delay = 1'000;
    int retry_max_delay = 300'000;
};
inline constexpr int wait_for_delivery = 1;
inline constexpr int deliver_before = 2; ///< the commit
extern Settings settings;

void define_settings(); ///< from _PG_init

} // namespace autosync::config
