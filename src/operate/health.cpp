// health(): everything that keeps changes from arriving, and what to do about it.

#include "config/settings.hpp"
#include "config/sync.hpp"
#include "operate/access.hpp"
#include "operate/lag.hpp"
#include "operate/rows.hpp"
#include "operate/states.hpp"
#include "outbox/identity.hpp"
#include "outbox/log.hpp"
#include "outbox/logs.hpp"
#include "outbox/sequence.hpp"
#include "worker/budget.hpp"

namespace autosync::operate {

namespace {

class Report final {
public:
    explicit Report(FunctionCallInfo fcinfo) : rows_{fcinfo} {}
    void ok(const std::string &check, const std::string &detail) { rows_.add({check, "ok", detail, {}}); }
    void warn(const std::string &check, const std::string &detail, const std::string &hint) { rows_.add({check, "warn", detail, hint}); }
    void crit(const std::string &check, const std::string &detail, const std::string &hint) { rows_.add({check, "crit", detail, hint}); }

private:
    Rows rows_;
};

std::int64_t number(const std::string &sql, const std::vector<pg::Cell> &parameters = {})
{
    return std::stoll(pg::execute_one(sql, parameters).value_or("0"));
}

void installation(Report &report, bool has_targets)
{
    if (worker::shared_memory_available())
        report.ok("preloaded", "the library is preloaded, so the launcher runs");
    else
        report.crit("preloaded", "the library is not preloaded: changes are captured, but nothing delivers them",
                    "Add autosync to shared_preload_libraries and restart the server.");
    const auto identity = outbox::identity();
    if (identity && identity->adopted)
        report.ok("adopted", "this database is the one that delivers");
    else if (has_targets)
        report.crit("adopted", "this database is not adopted: it may be a copy, so nothing is delivered",
                    "Run SELECT autosync.adopt_database() if this database is the one that is to deliver.");
    else
        report.ok("adopted", "there are no targets yet: the first add_target() adopts this database");
    if (config::settings.enabled)
        report.ok("enabled", "autosync.enabled is on in this session");
    else
        report.warn("enabled", "autosync.enabled is off in this session: its changes are not captured",
                    "Set autosync.enabled to on, then run autosync.backfill() for what was changed meanwhile.");
    const auto disabled = pg::execute_one("SELECT string_agg(evtname, ', ' ORDER BY evtname) FROM pg_event_trigger WHERE evtenabled = 'D' AND oid IN"
                                          " (SELECT d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid"
                                          " WHERE d.classid = 'pg_event_trigger'::regclass AND d.refclassid = 'pg_extension'::regclass"
                                          " AND e.extname = 'autosync')");
    if (disabled)
        report.warn("event_triggers", "disabled: " + *disabled, "Run ALTER EVENT TRIGGER … ENABLE: declarations are not checked, changes of tables not noticed.");
    else
        report.ok("event_triggers", "enabled");
}

void worker_state(Report &report, const std::vector<State> &states)
{
    if (!worker::shared_memory_available())
        return;
    std::int64_t waiting = 0;
    for (const auto &state : states)
        waiting += state.pending + state.retrying;
    const auto slot = own_slot();
    const std::string activity = slot && slot->worker != 0 ? std::string{slot->activity} : std::string{};
    if (slot && slot->worker != 0)
        report.ok("worker", "runs with process id " + std::to_string(slot->worker) + (activity.empty() ? "" : ": " + activity));
    else if (waiting == 0)
        report.ok("worker", "not running: nothing to do");
    else if (slot && slot->failures > 0)
        report.crit("worker", "failed to start " + std::to_string(slot->failures) + " times in a row", "See the server's log.");
    else
        report.warn("worker", "not running, with " + std::to_string(waiting) + " events waiting",
                    "It starts within seconds; else compare max_worker_processes and autosync.max_workers with the number of databases.");
}

void storage(Report &report)
{
    const std::int64_t size = outbox::log_size();
    const std::int64_t most = std::int64_t{config::settings.outbox_warn_size} * 1'024;
    const std::string detail = "the outbox takes " + pg::execute_one("SELECT pg_size_pretty($1::int8)", {std::to_string(size)}).value_or("");
    if (most == 0 || size <= most)
        report.ok("log", detail);
    else
        report.warn("log", detail + ", more than autosync.outbox_warn_size", "Nothing is dropped. See the checks on targets and tables for what keeps changes from being delivered.");
}

void targets(Report &report, const std::vector<State> &states)
{
    for (const auto &it : states) {
        const std::string check = "target " + it.target;
        const std::string error = it.slot.last_error[0] == '\0' ? std::string{} : ": " + std::string{it.slot.last_error};
        if (it.state == "active")
            report.ok(check, "active, " + std::to_string(it.pending) + " pending");
        else if (it.state == "paused")
            report.warn(check, "paused, " + std::to_string(it.pending) + " pending", "Run autosync.resume() to go on.");
        else if (it.state == "backing_off")
            report.warn(check, "backing off" + error, "Delivery goes on by itself.");
        else if (it.state == "unreachable")
            report.crit(check, "unreachable" + error, "Run autosync.check_target(); nothing is lost, delivery goes on when the target answers.");
        else if (it.state == "unauthorized")
            report.crit(check, "unauthorized" + error, "Correct what autosync.check_target() says; nothing is lost, delivery goes on when the target accepts it.");
        else
            report.crit(check, it.state, "See the checks on the installation.");
        for (const auto &lane : it.paused_lanes)
            report.warn("lane " + lane + " of " + it.target, "paused", "Run autosync.resume('" + it.target + "', '" + lane + "') to go on.");
    }
}

void letters(Report &report, const std::string &instance)
{
    const auto count = number("SELECT count(*) FROM autosync.exceptions WHERE instance = $1::int8 AND status = 'FAILED'", {instance});
    if (count == 0)
        report.ok("dead_letters", "none");
    else
        report.warn("dead_letters", std::to_string(count) + " events were given up",
                    "See autosync.failed_events, mend the cause, then run autosync.retry() or autosync.discard().");
}

void expired(Report &report, const std::string &instance)
{
    const auto count = number("SELECT count(*) FROM autosync.exceptions WHERE instance = $1::int8 AND status = 'EXPIRED'", {instance});
    if (count == 0)
        report.ok("expired", "none");
    else
        report.warn("expired", std::to_string(count) + " changes were not delivered in time and given up",
                    "See autosync.event_log with status EXPIRED. autosync.backfill() delivers the rows as they are now, autosync.publish() one of them.");
}

/// Tables that a round cannot read wait with a cursor of their own, which says why. That of events that are told one by one is no table's, and in nobody's way.
void lagging(Report &report, std::int64_t instance)
{
    for (const auto &cursor : outbox::load_cursors(instance))
        if (OidIsValid(cursor.source) && cursor.source != outbox::history_source && !cursor.reason.empty())
            report.warn("table " + source_name(cursor.source) + " for " + cursor.target, cursor.reason, "The table waits alone; its changes are kept.");
}

/// Of syncs that say how far behind they may be.
void lags(Report &report, std::int64_t instance)
{
    std::vector<Lag> limited;
    for (const auto &sync : config::load_syncs())
        if (const auto most = sync.problem.empty() ? most_lag(sync.options) : std::nullopt)
            limited.push_back({sync.table, sync.target, *most, 0});
    measure(instance, limited);
    for (const auto &lag : limited) {
        const std::string check = "lag of " + source_name(lag.source) + " for " + lag.target;
        if (lag.late())
            report.warn(check, "the oldest change that has not arrived is from " + time_text(lag.oldest).value_or("") + ", max_lag is " + std::to_string(lag.most.count()) + " ms",
                        "Nothing is lost. See autosync.stat_targets and the checks on the target.");
        else
            report.ok(check, "within max_lag");
    }
}

/// A backfill that waits has no cursor that says so.
void budgets(Report &report, std::int64_t instance)
{
    for (const auto &sync : config::load_syncs())
        if (const auto problem = worker::load_budget(instance, sync).problem(); !problem.empty())
            report.warn("tokens of " + sync.schema + "." + sync.name + " for " + sync.target, problem,
                        "Nothing is lost. Raise max_tokens_per_day with autosync.alter_sync() to go on at once.");
}

/// What the worker met with when it prepared a target.
std::string preparation_problem(const config::Sync &sync)
{
    const auto instance = outbox::instance_id();
    if (!instance)
        return {};
    return pg::execute_one("SELECT problem FROM autosync.sync_state WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid",
                           {std::to_string(*instance), sync.target, std::to_string(sync.table)})
        .value_or("");
}

void syncs(Report &report)
{
    for (const auto &sync : config::load_syncs()) {
        const std::string check = "sync " + sync.schema + "." + sync.name + " to " + sync.target;
        if (const auto problem = preparation_problem(sync); sync.problem.empty() && !problem.empty()) {
            report.crit(check, problem, "Its changes are kept. When its collection does not fit the model, run autosync.rebuild().");
            continue;
        }
        if (!sync.problem.empty())
            report.crit(check, sync.problem, "Correct the declaration with autosync.alter_sync(); its changes are kept.");
        else if (!sync.enabled)
            report.warn(check, "its trigger is disabled: changes are not captured",
                        "Enable it with ALTER TABLE … ENABLE TRIGGER, then run autosync.backfill() for what was changed meanwhile.");
        else if (!sync.has_truncate_trigger)
            report.warn(check, "no trigger for TRUNCATE: a truncated table stays in the target", "Create one AFTER TRUNCATE … FOR EACH STATEMENT.");
        else
            report.ok(check, "declared");
    }
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_health)
{
    operate::Report report{fcinfo};
    const pg::ActingAs owner{pg::extension_owner(), false};
    const auto states = operate::load_states();
    operate::installation(report, !states.empty());
    operate::worker_state(report, states);
    operate::storage(report);
    operate::targets(report, states);
    if (const auto instance = outbox::instance_id()) {
        operate::letters(report, std::to_string(*instance));
        operate::expired(report, std::to_string(*instance));
        operate::lagging(report, *instance);
        operate::lags(report, *instance);
        operate::budgets(report, *instance);
    }
    operate::syncs(report);
    PG_RETURN_VOID();
}
