// why(): where one entity stands on its way to one target, and what would move it on.

#include <algorithm>

#include "config/settings.hpp"
#include "config/sync.hpp"
#include "config/target.hpp"
#include "mapping/identity.hpp"
#include "operate/access.hpp"
#include "operate/backlog.hpp"
#include "operate/held.hpp"
#include "operate/key.hpp"
#include "operate/newest.hpp"
#include "operate/rows.hpp"
#include "operate/states.hpp"
#include "outbox/forgotten.hpp"
#include "outbox/identity.hpp"
#include "worker/read.hpp"

namespace autosync::operate {

namespace {

struct Answer {
    std::string state;
    std::string reason;
    pg::Cell since{};
    std::string hint{};
};

constexpr const char *by_itself = "Nothing is lost: it is delivered by itself.";

/// The target as a whole, or its lane, does not take anything at this moment; nullopt: it does.
std::optional<Answer> held_up(const config::Sync &sync)
{
    const auto states = load_states();
    const auto found = std::ranges::find(states, sync.target, &State::target);
    if (found == states.end())
        return std::nullopt;
    if (const auto lane = sync.options.find("lane"); found->state == "active" && lane != sync.options.end() && std::ranges::count(found->paused_lanes, lane->second) > 0)
        return Answer{"paused", "the lane \"" + lane->second + "\" is paused", {}, "Run autosync.resume() with the lane's name to go on."};
    if (found->state == "active")
        return std::nullopt;
    const std::string error = found->slot.last_error[0] == '\0' ? std::string{} : ": " + std::string{found->slot.last_error};
    if (found->state == "paused")
        return Answer{found->state, "the target is paused", {}, "Run autosync.resume() to go on."};
    if (found->state == "unauthorized")
        return Answer{found->state, "the target does not accept the credentials" + error, {}, "Correct what autosync.check_target() says."};
    if (found->state == "unreachable")
        return Answer{found->state, "the target cannot be reached" + error, {}, "Run autosync.check_target()."};
    if (found->state == "backing_off")
        return Answer{found->state, "the target has asked for patience" + error, {}, by_itself};
    if (found->state == "no_worker")
        return Answer{found->state, "no worker delivers for this database", {}, "See autosync.health()."};
    return Answer{found->state, "nothing is delivered from this database", {}, "See autosync.health()."};
}

/// What one look finds out about an entity.
class Inquiry final {
public:
    Inquiry(std::int64_t instance, const config::Sync &sync, const Key &key) : instance_{instance}, sync_{sync}, key_{key} {}

    /// What is known without looking at the row; the current role is the extension's owner.
    [[nodiscard]] std::optional<Answer> on_its_way() const
    {
        const Kept now;
        auto answer = pending(now.get());
        const Active active{now.get()};
        if (!answer)
            answer = excepted();
        if (!answer)
            answer = under_way();
        if (!answer || answer->state == "failed" || answer->state == "discarded" || answer->state == "expired")
            return answer;
        if (auto held = held_up(sync_)) {
            held->reason += "; " + answer->reason;
            held->since = answer->since;
            return held;
        }
        return answer;
    }

    /// When autosync_test got it last.
    [[nodiscard]] pg::Cell sent_at() const
    {
        const auto rows = pg::execute("SELECT operation, sent_at FROM autosync.sent WHERE instance = $1::int8 AND target = $2::name AND source = $3"
                                      " AND key = $4 ORDER BY sent_id DESC LIMIT 1",
                                      {std::to_string(instance_), sync_.target, sync_.source.name, key_.text}, true);
        return rows.empty() || rows[0][0] != "upsert" ? pg::Cell{} : rows[0][1];
    }

private:
    [[nodiscard]] std::optional<Answer> pending(Snapshot snapshot) const
    {
        std::int64_t before = 0;
        TimestampTz since = 0;
        each_pending(instance_, {sync_.target}, snapshot, [&](const Pending &event) {
            const bool mine = event.topic.table == sync_.table;
            const bool truncated = mine && event.event.operation == outbox::Operation::truncate;
            const bool said = mine && event.topic.carries == outbox::Carries::words && event.event.key.back() == key_.text;
            if (truncated || said || (mine && event.event.key == key_.columns)) {
                since = event.captured_at;
                return false;
            }
            ++before;
            return true;
        });
        if (since == 0)
            return std::nullopt;
        for (const auto &cursor : outbox::load_cursors(instance_))
            if (cursor.target == sync_.target && cursor.source == sync_.table && !cursor.reason.empty())
                return Answer{"pending", "its table waits: " + cursor.reason, time_text(since), "Other tables are not held up. See autosync.health()."};
        return Answer{"pending", before == 0 ? "it is next" : "pending behind " + std::to_string(before) + (before == 1 ? " other event" : " other events"), time_text(since), by_itself};
    }

    [[nodiscard]] std::optional<Answer> excepted() const
    {
        const auto rows = pg::execute("SELECT lower(status), coalesce(verb, ''), last_error, next_attempt_at, created_at, updated_at, attempts, next_attempt_at > clock_timestamp() FROM autosync.exceptions"
                                      " WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid AND key = $4 AND verb IS DISTINCT FROM 'confirm'",
                                      {std::to_string(instance_), sync_.target, std::to_string(sync_.table), key_.text}, true);
        if (rows.empty())
            return std::nullopt;
        const auto &row = rows.front();
        const std::string status = row[0].value_or("");
        const std::string error = row[2].value_or("");
        if (status == "failed")
            return Answer{status, "dead letter: " + error, row[5], "Mend the cause, then run autosync.retry() or autosync.discard()."};
        if (status == "discarded")
            return Answer{status, "given up by hand: " + error, row[5], "Its next change is delivered; autosync.publish() delivers it now."};
        if (status == "expired")
            return Answer{status, "it has expired: " + error, row[5], "Its next change is delivered; autosync.publish() delivers it now."};
        if (status == "retrying" && !error.empty())
            return Answer{status, "retrying at " + row[3].value_or("once") + " because " + error, row[4], "Attempts so far: " + row[6].value_or("0") + "."};
        if (status == "waiting_auth")
            return Answer{status, "waiting for authentication: " + error, row[4], "It is delivered once the identity has a session."};
        if (row[1].value_or("").empty() && !error.empty())
            return Answer{"pending", "held until " + row[3].value_or("later") + " at the latest: " + error, row[4], by_itself};
        if (status == "pending" && row[1].value_or("").empty() && row[7] == "t")
            return Answer{status, "its changes are gathered until " + row[3].value_or(""), row[4], by_itself};
        return Answer{"pending", row[1].value_or("").empty() ? "it is next" : "marked by autosync." + *row[1] + "()", row[4], by_itself};
    }

    [[nodiscard]] std::optional<Answer> under_way() const
    {
        const auto rows = pg::execute("SELECT kind, reason, done, requested_at FROM autosync.jobs WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid"
                                      " AND kind <> 'purge' ORDER BY requested_at LIMIT 1",
                                      {std::to_string(instance_), sync_.target, std::to_string(sync_.table)}, true);
        if (rows.empty())
            return std::nullopt;
        const auto &row = rows.front();
        return Answer{"pending", "a " + row[0].value_or("") + " of the table (" + row[1].value_or("") + ") is under way and may not have come to it", row[3],
                      "See autosync.stat_progress."};
    }

    std::int64_t instance_;
    const config::Sync &sync_;
    const Key &key_;
};

/// Why its changes are not noted; empty: they are.
std::string switched_off(const config::Sync &sync, const config::Target &target)
{
    const auto enabled = sync.options.find("enabled");
    if (!sync.enabled)
        return "the trigger of the sync is disabled";
    if (enabled != sync.options.end() && enabled->second != "on")
        return "option \"enabled\" of the sync is off";
    if (!target.enabled)
        return "option \"enabled\" of the target is off";
    return config::settings.enabled ? "" : "autosync.enabled is off in this session";
}

/// Why the sync as a whole cannot be delivered; empty: it can.
std::string problem_of(const config::Sync &sync, const config::Target &target)
{
    if (!sync.problem.empty())
        return sync.problem;
    if (!target.problem.empty())
        return target.problem;
    const Oid server = target.server;
    const Oid owner = sync.owner;
    const bool usable = pg::call([server, owner] { return object_aclcheck(ForeignServerRelationId, server, owner, ACL_USAGE); }) == ACLCHECK_OK;
    return usable ? "" : "the owner of the table has no USAGE privilege on the target";
}

/// What the row itself says; nullopt: it is as it is to be delivered, in `change`.
std::optional<Answer> look_at_row(const config::Sync &sync, const Key &key, mapping::Change &change)
{
    worker::Reader reader{sync};
    const worker::Wanted wanted[] = {{key.text, key.columns}};
    std::size_t done = 0;
    try {
        const auto row = reader.read_keys(wanted, std::size_t{1} << 30, &done).at(0);
        change = row.change;
        if (!row.problem.empty())
            return Answer{"broken", "this row cannot be delivered: " + row.problem};
        if (row.filtered)
            return Answer{"filtered_out", row.skip ? "it does not match the filter; what the target holds of it stays" : "it does not match the filter",
                          {}, "See the options \"filter\" and \"on_filtered\" in autosync.explain_options()."};
        if (row.deleted)
            return Answer{"absent", row.skip ? "the row counts as deleted; what the target holds of it stays" : "the row counts as deleted", {},
                          "See the options \"soft_delete\" and \"on_delete\" in autosync.explain_options()."};
        if (row.change.removed)
            return Answer{"absent", !row.skip                ? "there is no such row"
                                    : sync.removes.empty() ? "there is no such row; what the target holds of it stays"
                                                           : "there is no such row; when it was deleted, the condition of on_delete decided whether it stays at the target"};
        return std::nullopt;
    } catch (const worker::SyncTrouble &trouble) {
        return Answer{"broken", trouble.what(), {}, "Correct the declaration with autosync.alter_sync()."};
    }
}

bool forgotten(std::int64_t instance, const config::Sync &sync, const Key &key)
{
    const pg::ActingAs owner{pg::extension_owner(), false};
    return outbox::is_forgotten(instance, sync.target, sync.table, key.text);
}

constexpr std::chrono::milliseconds answer_time{5'000};

/// Nothing is pending: does the target have it?
Answer ask_target(const config::Sync &sync, const config::Target &target, const Key &key, const mapping::Change &change)
{
    constexpr const char *again = "Run autosync.publish(), or autosync.backfill() for all rows.";
    const auto unknown = [](const std::string &reason) {
        return Answer{"delivered", "nothing of it is pending; whether the target still has it is not known: " + reason, {}, "See autosync.check_target()."};
    };
    try {
        const auto held = ask_for(sync, target, change, key.text, answer_time);
        if (held.problem.outcome != targets::Outcome::delivered)
            return unknown(held.problem.message);
        const auto found = differences(held);
        if (found.empty())
            return {"delivered", "nothing of it is pending, and the target has it"};
        if (held.theirs.empty())
            return {"not_delivered", "the target does not have it, and nothing has changed since", {}, again};
        std::string fields;
        for (const auto &difference : found)
            fields += (fields.empty() ? "" : ", ") + difference.field;
        return {"different", "nothing of it is pending, but the target holds something else: " + fields, {}, "autosync.diff() shows both. " + std::string{again}};
    } catch (const std::invalid_argument &problem) {
        return unknown(problem.what());
    }
}

Answer inquire(Oid table, const std::string &text, const std::string &name)
{
    const auto sync = config::load_sync(table, name);
    if (!sync)
        return {"not_declared", "the table is not synced to this target", {}, "Declare the sync with autosync.add_sync()."};
    const auto target = config::load_target(name, sync->owner);
    const std::string problem = target ? problem_of(*sync, *target) : sync->problem;
    if (!problem.empty())
        return {"broken", problem, {}, "Its changes are kept. Correct the declaration with autosync.alter_sync(), or what the reason names."};
    const auto key = parse_key(*sync, text);
    const auto identity = outbox::identity();
    if (!identity || !identity->adopted)
        return {"not_adopted", "this database is not adopted, so nothing is delivered", {},
                "Run SELECT autosync.adopt_database() if this database is the one that is to deliver."};
    const Inquiry inquiry{identity->id, *sync, key};
    std::optional<Answer> answer;
    {
        const pg::ActingAs owner{pg::extension_owner(), false};
        answer = inquiry.on_its_way();
    }
    if (answer && answer->state != "pending")
        return *answer;
    mapping::Change change;
    const auto row = look_at_row(*sync, key, change);
    if (!answer && forgotten(identity->id, *sync, key))
        return {"forgotten", "it was erased by autosync.forget()", {}, "It is not sent again until autosync.publish() asks for it."};
    if (answer) // waiting is no use where the row cannot be read
        return row && row->state == "broken" ? *row : *answer;
    if (const auto off = target ? switched_off(*sync, *target) : std::string{}; !off.empty())
        return {"disabled", off + ": changes are not captured", {}, "Switch it on, then run autosync.backfill() for what was changed meanwhile."};
    if (row)
        return *row;
    auto arrived = ask_target(*sync, *target, key, change);
    const pg::ActingAs owner{pg::extension_owner(), false};
    if (arrived.state != "delivered")
        if (auto meanwhile = inquiry.on_its_way()) // changed while the target was asked
            return *meanwhile;
    if (arrived.state == "delivered" && target->kind->capabilities().embedded)
        arrived.since = inquiry.sent_at();
    return arrived;
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_why)
{
    operate::require_arguments(fcinfo, {"source", "key", "target"});
    const Oid source = DatumGetObjectId(fcinfo->args[0].value);
    const std::string key = pg::text_argument(fcinfo, 1);
    const std::string name = pg::name_argument(fcinfo, 2);
    operate::require_table(source);
    (void) operate::require_target(name);
    const auto answer = operate::inquire(source, key, name);
    return operate::one_row(fcinfo, {answer.state, answer.reason, answer.since, operate::text_or_null(answer.hint)});
}
