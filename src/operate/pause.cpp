// pause(), resume(), stat_reset(): what the owner of a target does to it.

#include "capture/wake.hpp"
#include "config/target.hpp"
#include "operate/access.hpp"
#include "worker/shared.hpp"

namespace autosync::operate {

namespace {

/// The named target, or all that the caller owns.
std::vector<std::string> owned_targets(const std::optional<std::string> &target)
{
    if (target) {
        (void) require_target_owner(*target);
        return {*target};
    }
    std::vector<std::string> owned;
    for (const auto &name : config::target_names()) {
        const char *const text = name.c_str();
        if (pg::call([text] { return object_ownercheck(ForeignServerRelationId, get_foreign_server_oid(text, false), GetUserId()); }))
            owned.push_back(name);
    }
    return owned;
}

/// A target that backs off is tried at once.
void hurry(const std::string &target)
{
    const char *const name = target.c_str();
    pg::call([name] {
        worker::TargetSlot *const slot = worker::target_slot(MyDatabaseId, name);
        if (slot == nullptr)
            return;
        LWLockAcquire(worker::slot_lock(), LW_EXCLUSIVE);
        slot->hurry = true;
        LWLockRelease(worker::slot_lock());
    });
}

void set_paused(const std::optional<std::string> &target, bool paused)
{
    const auto targets = owned_targets(target);
    const std::string instance = require_instance();
    const pg::ActingAs owner{pg::extension_owner(), false};
    for (const auto &name : targets)
        pg::execute("INSERT INTO autosync.target_state AS t (instance, target, paused, paused_at)"
                    " VALUES ($1::int8, $2::name, $3::bool, CASE WHEN $3::bool THEN now() END)"
                    " ON CONFLICT (instance, target) DO UPDATE SET paused = excluded.paused,"
                    " paused_at = CASE WHEN excluded.paused THEN coalesce(t.paused_at, excluded.paused_at) END",
                    {instance, name, paused ? "on" : "off"});
    if (!paused && worker::shared_memory_available())
        for (const auto &name : targets)
            hurry(name);
    capture::wake_at_commit();
}

/// Sets the figures to zero; the state stays.
void reset(const std::string &target)
{
    const char *const name = target.c_str();
    pg::call([name] {
        worker::TargetSlot *const slot = worker::target_slot(MyDatabaseId, name);
        if (slot == nullptr)
            return;
        LWLockAcquire(worker::slot_lock(), LW_EXCLUSIVE);
        slot->delivered = slot->requests = slot->bytes = slot->refused = slot->expired = 0;
        slot->embedded_texts = slot->embedded_tokens = slot->embed_requests = slot->embed_skipped = 0;
        slot->last_success = slot->last_error_at = 0;
        slot->last_error[0] = '\0';
        slot->latencies = 0;
        slot->stats_reset = GetCurrentTimestamp();
        LWLockRelease(worker::slot_lock());
    });
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_pause)
{
    operate::set_paused(operate::optional_name(fcinfo, 0), true);
    PG_RETURN_VOID();
}

AUTOSYNC_SQL(autosync_resume)
{
    operate::set_paused(operate::optional_name(fcinfo, 0), false);
    PG_RETURN_VOID();
}

AUTOSYNC_SQL(autosync_stat_reset)
{
    const auto targets = operate::owned_targets(operate::optional_name(fcinfo, 0));
    if (worker::shared_memory_available())
        for (const auto &name : targets)
            operate::reset(name);
    PG_RETURN_VOID();
}
