// pause(), resume(), stat_reset(): what the owner of a target does to it.

#include <map>

#include "capture/wake.hpp"
#include "config/sync.hpp"
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

/// Which tables are in the lane, by target.
std::map<std::string, std::vector<Oid>> tables_in(const std::string &lane)
{
    std::map<std::string, std::vector<Oid>> tables;
    for (const auto &sync : config::load_syncs())
        if (const auto declared = sync.options.find("lane"); declared != sync.options.end() && declared->second == lane)
            tables[sync.target].push_back(sync.table);
    return tables;
}

/// What was put off while the target or a lane of it was paused.
void let_go(const std::string &instance, const std::string &target, const std::map<std::string, std::vector<Oid>> &tables)
{
    worker::change_slot(target, [](worker::TargetSlot &slot) { slot.hurry = true; }); // one that backs off is tried at once
    if (const auto found = tables.find(target); found != tables.end())
        for (const Oid table : found->second)
            pg::execute("UPDATE autosync.exceptions SET next_attempt_at = clock_timestamp() WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid"
                        " AND status IN ('PENDING', 'RETRYING') AND verb IS NOT NULL AND verb <> 'confirm' AND next_attempt_at > clock_timestamp()",
                        {instance, target, std::to_string(table)});
}

void set_paused(const std::optional<std::string> &target, const std::optional<std::string> &lane, bool paused)
{
    auto targets = owned_targets(target);
    const std::string instance = require_instance();
    const auto tables = lane ? tables_in(*lane) : std::map<std::string, std::vector<Oid>>{};
    if (lane && paused) {
        std::erase_if(targets, [&](const std::string &name) { return !tables.contains(name); });
        if (targets.empty())
            throw pg::Failure{ERRCODE_UNDEFINED_OBJECT, "no sync" + (target ? " to target \"" + *target + "\"" : std::string{}) + " is in the lane \"" + *lane + "\"", {},
                              "See the option \"lane\" in autosync.syncs."};
    }
    const pg::ActingAs owner{pg::extension_owner(), false};
    for (const auto &name : targets)
        pg::execute("INSERT INTO autosync.target_state AS t (instance, target, lane, paused, paused_at)"
                    " VALUES ($1::int8, $2::name, $4, $3::bool, CASE WHEN $3::bool THEN now() END)"
                    " ON CONFLICT (instance, target, lane) DO UPDATE SET paused = excluded.paused,"
                    " paused_at = CASE WHEN excluded.paused THEN coalesce(t.paused_at, excluded.paused_at) END",
                    {instance, name, paused ? "on" : "off", lane.value_or("")});
    if (!paused)
        for (const auto &name : targets)
            let_go(instance, name, tables);
    capture::announce_at_commit();
}

/// Sets the figures to zero; the state stays.
void reset(const std::string &target)
{
    worker::change_slot(target, [](worker::TargetSlot &slot) {
        slot.delivered = slot.requests = slot.bytes = slot.refused = slot.expired = 0;
        slot.embedded_texts = slot.embedded_tokens = slot.embed_requests = slot.embed_skipped = 0;
        slot.last_success = slot.last_error_at = 0;
        slot.last_error[0] = '\0';
        slot.latencies = 0;
        slot.stats_reset = GetCurrentTimestamp();
    });
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_pause)
{
    operate::set_paused(operate::optional_name(fcinfo, 0), operate::optional_text(fcinfo, 1), true);
    PG_RETURN_VOID();
}

AUTOSYNC_SQL(autosync_resume)
{
    operate::set_paused(operate::optional_name(fcinfo, 0), operate::optional_text(fcinfo, 1), false);
    PG_RETURN_VOID();
}

AUTOSYNC_SQL(autosync_stat_reset)
{
    for (const auto &name : operate::owned_targets(operate::optional_name(fcinfo, 0)))
        operate::reset(name);
    PG_RETURN_VOID();
}
