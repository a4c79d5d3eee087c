#include "config/settings.hpp"

#include <cstdint>
#include <limits>
#include <variant>

#include "pg/bridge.hpp"

namespace autosync::config {

Settings settings;

namespace {

struct Bool {
    bool *variable;
    bool fallback;
};
struct Int {
    int *variable;
    int fallback;
    int least;
    int most;
    int unit; ///< GUC_UNIT_…
};
struct Text {
    char **variable;
    const char *fallback;
    GucStringCheckHook check;
};

struct Choice {
    int *variable;
    int fallback;
    const config_enum_entry *choices;
};

struct Setting {
    const char *name;
    std::variant<Bool, Int, Text, Choice> value;
    GucContext context;
    const char *help;
    const char *more;
};

/// Control characters would travel into logs and headers.
bool check_plain(char **value, void **, GucSource)
{
    for (const char *at = *value; *at != '\0'; ++at) {
        if (static_cast<unsigned char>(*at) < 0x20 || *at == 0x7f) {
            GUC_check_errdetail("The value contains a control character.");
            return false;
        }
    }
    return true;
}

/// Origins and instance names are compared with names, and stored with every event.
bool check_short(char **value, void **extra, GucSource source)
{
    constexpr std::size_t most = 200;
    if (strlen(*value) > most) {
        GUC_check_errdetail("The value is longer than %d bytes.", static_cast<int>(most));
        return false;
    }
    return check_plain(value, extra, source);
}

bool check_directory(char **value, void **extra, GucSource source)
{
    if (**value != '\0' && **value != '/') {
        GUC_check_errdetail("The folder must be an absolute path.");
        return false;
    }
    return check_plain(value, extra, source);
}

constexpr int any = std::numeric_limits<int>::max();

constexpr config_enum_entry deliveries[] = {{"async", 0, false}, {"wait", wait_for_delivery, false}, {"sync", deliver_before, false}, {nullptr, 0, false}};

// Sorted by name.
const Setting table[] = {
    {"autosync.allowed_hosts", Text{&settings.allowed_hosts, "*", check_plain}, PGC_SIGHUP, "Hosts that targets may name.",
     "Comma-separated names, addresses and networks; '*' is any. Link-local and metadata addresses only when listed."},
    {"autosync.batch_size", Int{&settings.batch_size, 500, 1, 100'000, 0}, PGC_SUSET, "Changes per request to a target.", nullptr},
    {"autosync.capture_delete", Bool{&settings.capture_delete, true}, PGC_SUSET, "Capture DELETE.", nullptr},
    {"autosync.capture_insert", Bool{&settings.capture_insert, true}, PGC_SUSET, "Capture INSERT.", nullptr},
    {"autosync.capture_truncate", Bool{&settings.capture_truncate, true}, PGC_SUSET, "Capture TRUNCATE.", nullptr},
    {"autosync.capture_update", Bool{&settings.capture_update, true}, PGC_SUSET, "Capture UPDATE.", nullptr},
    {"autosync.connect_timeout", Int{&settings.connect_timeout, 10'000, 1, any, GUC_UNIT_MS}, PGC_SUSET, "Time to establish a connection to a target.",
     nullptr},
    {"autosync.correlation_id", Text{&settings.correlation_id, "", check_short}, PGC_USERSET, "Stamped on the events of this session.", nullptr},
    {"autosync.debounce", Int{&settings.debounce, 0, 0, 86'400'000, GUC_UNIT_MS}, PGC_SUSET, "Time for which changes of one entity are gathered before they are delivered.",
     "0: they are delivered at once. COMMIT does not wait for changes that are gathered."},
    {"autosync.delivery", Choice{&settings.delivery, 0, deliveries}, PGC_USERSET, "Whether COMMIT waits until the changes have arrived at their targets.",
     "wait: as it would for a synchronous standby; a cancel ends the wait, and the changes are delivered later. sync: they are also sent once before the transaction commits."},
    {"autosync.enabled", Bool{&settings.enabled, true}, PGC_SUSET, "Capture changes of synced tables.",
     "Off: nothing is captured; run autosync.backfill() afterwards."},
    {"autosync.event_ttl", Int{&settings.event_ttl, 0, 0, any, GUC_UNIT_S}, PGC_SUSET, "Age at which changes that a target has not got are given up.",
     "0: never. They end as EXPIRED in autosync.event_log; autosync.backfill() delivers the rows as they are then."},
    {"autosync.fail_silently", Bool{&settings.fail_silently, true}, PGC_USERSET, "With delivery = sync: a failed delivery is a WARNING, and the change stays queued.",
     "Off: it is an ERROR, and the transaction rolls back."},
    {"autosync.history_retention", Int{&settings.history_retention, 604'800, 0, any, GUC_UNIT_S}, PGC_SUSET, "How long delivered events stay in autosync.event_log.",
     "Also those that have expired or were discarded. 0: none is kept."},
    {"autosync.history_size", Int{&settings.history_size, 1'048'576, 0, any, GUC_UNIT_KB}, PGC_SUSET, "Most space for delivered events; the oldest go first.",
     "About 130 bytes per event and target. 0: none is kept."},
    {"autosync.instance_id", Text{&settings.instance_id, "", check_short}, PGC_POSTMASTER, "Name of this installation.",
     "Set it outside the data directory: a physical copy started under another name does not deliver."},
    {"autosync.log_errors", Bool{&settings.log_errors, true}, PGC_SUSET, "Write failed deliveries to the server log.", nullptr},
    {"autosync.max_attempts", Int{&settings.max_attempts, 3, 1, 1'000, 0}, PGC_SUSET, "Attempts for a change that a target refuses.",
     "A target that is unreachable is retried without limit."},
    {"autosync.max_event_size", Int{&settings.max_event_size, 65'536, 1, 131'072, GUC_UNIT_KB}, PGC_SUSET, "Largest row that is stored in an event.",
     "Of a larger one only the key is stored, and the row is read when the event is delivered."},
    {"autosync.max_in_flight", Int{&settings.max_in_flight, 4, 1, 64, 0}, PGC_SUSET, "Requests under way at once per target.", nullptr},
    {"autosync.max_workers", Int{&settings.max_workers, 4, 1, 128, 0}, PGC_POSTMASTER, "Workers in the cluster, at most one per database.", nullptr},
    {"autosync.origin", Text{&settings.origin, "", check_short}, PGC_SUSET, "Where the changes of this session come from.",
     "Stamped on events; the target of this name does not get them."},
    {"autosync.outbox_warn_size", Int{&settings.outbox_warn_size, 0, 0, any, GUC_UNIT_KB}, PGC_SUSET, "Size of the outbox of which the log and health() warn.",
     "0: never. Nothing is dropped."},
    {"autosync.poll_interval", Int{&settings.poll_interval, 5'000, 100, 3'600'000, GUC_UNIT_MS}, PGC_SUSET, "Time between looks at the outbox without a wake-up.",
     "A fall-back only: a commit wakes the worker at once."},
    {"autosync.request_timeout", Int{&settings.request_timeout, 120'000, 1, any, GUC_UNIT_MS}, PGC_SUSET, "Time for a request to a target and its answer.",
     "Also, up to a minute, for reading rows once with their filter: a table that takes longer lags behind alone."},
    {"autosync.retry_initial_delay", Int{&settings.retry_initial_delay, 1'000, 1, any, GUC_UNIT_MS}, PGC_SUSET, "Delay before the first retry.",
     "Doubles with each further failure, with jitter, up to autosync.retry_max_delay."},
    {"autosync.retry_max_delay", Int{&settings.retry_max_delay, 300'000, 1, any, GUC_UNIT_MS}, PGC_SUSET, "Longest delay between retries.", nullptr},
    {"autosync.secrets_directory", Text{&settings.secrets_directory, "", check_directory}, PGC_POSTMASTER, "Folder of files that hold secrets.",
     "Options that end in _file name files below it. Empty: only servers owned by superusers may name such files."},
};

} // namespace

void define_settings()
{
    pg::call([] {
        for (const Setting &setting : table) {
            // A session that loads the library on demand comes too late for settings of the postmaster; it only reads them.
            const GucContext context =
                setting.context == PGC_POSTMASTER && !process_shared_preload_libraries_in_progress ? PGC_SIGHUP : setting.context;
            if (const auto *flag = std::get_if<Bool>(&setting.value))
                DefineCustomBoolVariable(setting.name, setting.help, setting.more, flag->variable, flag->fallback, context, 0, nullptr, nullptr, nullptr);
            else if (const auto *number = std::get_if<Int>(&setting.value))
                DefineCustomIntVariable(setting.name, setting.help, setting.more, number->variable, number->fallback, number->least, number->most,
                                        context, number->unit, nullptr, nullptr, nullptr);
            else if (const auto *choice = std::get_if<Choice>(&setting.value))
                DefineCustomEnumVariable(setting.name, setting.help, setting.more, choice->variable, choice->fallback, choice->choices, context, 0, nullptr,
                                         nullptr, nullptr);
            else if (const auto *text = std::get_if<Text>(&setting.value))
                DefineCustomStringVariable(setting.name, setting.help, setting.more, text->variable, text->fallback, context, 0, text->check, nullptr,
                                           nullptr);
        }
        MarkGUCPrefixReserved("autosync");
    });
}

} // namespace autosync::config
