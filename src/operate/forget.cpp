// forget(): one entity is erased everywhere, and a receipt says where.

#include <algorithm>
#include <chrono>
#include <map>

#include "config/target.hpp"
#include "operate/access.hpp"
#include "operate/key.hpp"
#include "operate/newest.hpp"
#include "operate/rest.hpp"
#include "operate/rows.hpp"
#include "operate/states.hpp"
#include "outbox/forgotten.hpp"
#include "worker/wishes.hpp"

namespace autosync::operate {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds first_pause{5};
constexpr milliseconds longest_pause{50};

struct Receipt {
    std::string state = "pending"; ///< erased, pending, waiting_auth, failed
    std::string detail;
    pg::Cell erased_at{};
};

Receipt look(std::int64_t instance, const std::string &target, Oid source, const std::string &key)
{
    const Active newest;
    const auto rows = pg::execute("SELECT lower(status), last_error, clock_timestamp() FROM (SELECT) AS one LEFT JOIN autosync.exceptions ON instance = $1::int8"
                                  " AND target = $2::name AND source = $3::oid AND key = $4 AND verb = 'unpublish'",
                                  {std::to_string(instance), target, std::to_string(source), key}, true);
    const auto &row = rows.at(0);
    if (!outbox::is_forgotten(instance, target, source, key))
        return {"pending", "somebody has published it meanwhile"};
    if (!row[0])
        return {"erased", {}, row[2]};
    const std::string error = row[1].value_or("");
    if (row[0] == "failed" || row[0] == "waiting_auth")
        return {*row[0], error};
    return {"pending", error};
}

/// What stands in the way of those that are pending.
std::string obstacle(const std::string &target)
{
    for (const auto &state : load_states())
        if (state.target == target && state.state != "active")
            return "the target is " + state.state + (state.state == "paused" || state.slot.last_error[0] == '\0' ? std::string{} : ": " + std::string{state.slot.last_error});
    return "it takes longer than was waited for";
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_forget)
{
    using namespace autosync::operate;
    require_arguments(fcinfo, {"source", "key", "timeout"});
    const Oid source = DatumGetObjectId(fcinfo->args[0].value);
    const std::string given = pg::text_argument(fcinfo, 1);
    const auto timeout = pg::duration_argument(fcinfo, 2);
    require_table(source);
    const auto targets = targets_of_source(source, std::nullopt);
    std::vector<config::Sync> syncs;
    for (const auto &name : targets) {
        (void) require_target_usage(name);
        if (auto sync = config::load_sync(source, name)) {
            if (sync->key.empty())
                throw pg::Failure{ERRCODE_INVALID_TABLE_DEFINITION, "table " + source_name(source) + " has no key", sync->problem};
            syncs.push_back(std::move(*sync));
        }
    }
    const auto instance = std::stoll(require_adopted());
    const auto key = parse_key(syncs.at(0), given);
    Rows rows{fcinfo};
    const auto end = Clock::now() + timeout;
    {
        const worker::Wish wish{source, key.text};
        for (auto state = wish.state(); state != worker::Wish::State::granted; state = wish.state()) {
            if (state == worker::Wish::State::denied || Clock::now() >= end)
                throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "the entity has not been marked as forgotten",
                                  state == worker::Wish::State::denied ? "The worker could not write it down." : "No worker has heard of it in time.",
                                  "See autosync.health() and the server's log, then try again."};
            rest(longest_pause);
        }
    }
    std::map<std::string, Receipt> receipts;
    milliseconds pause = first_pause;
    for (;;) {
        bool open = false;
        {
            const pg::ActingAs owner{pg::extension_owner(), false};
            for (const auto &sync : syncs) {
                auto &receipt = receipts[sync.target];
                if (receipt.state == "pending")
                    receipt = look(instance, sync.target, source, key.text);
                open = open || receipt.state == "pending";
            }
        }
        if (!open || Clock::now() >= end)
            break;
        rest(std::min(pause, std::chrono::duration_cast<milliseconds>(end - Clock::now())));
        pause = std::min(longest_pause, pause * 2);
    }
    for (const auto &sync : syncs) {
        auto &receipt = receipts[sync.target];
        if (receipt.state == "erased")
            receipt.detail = targets::find(config::kind_of_server(require_target(sync.target)))->remains();
        else if (receipt.detail.empty())
            receipt.detail = obstacle(sync.target);
        rows.add({sync.target, receipt.state, text_or_null(receipt.detail), receipt.erased_at});
    }
    PG_RETURN_VOID();
}
