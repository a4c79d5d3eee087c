#include "operate/states.hpp"

#include <map>

#include "config/target.hpp"
#include "outbox/identity.hpp"
#include "pg/spi.hpp"

namespace autosync::operate {

namespace {

/// What the tables know of a target.
struct Noted {
    std::int64_t marked = 0;
    std::int64_t retrying = 0;
    std::int64_t failed = 0;
    TimestampTz oldest = 0;
    bool paused = false;
    std::int64_t waiting = 0; ///< for a session
    std::vector<std::string> paused_lanes{};
};

std::map<std::string, Noted> load_noted(const std::string &instance)
{
    std::map<std::string, Noted> noted;
    for (const auto &row : pg::execute("SELECT target, count(*) FILTER (WHERE status = 'PENDING' AND verb IS DISTINCT FROM 'confirm'), count(*) FILTER (WHERE status = 'RETRYING'),"
                                       " count(*) FILTER (WHERE status = 'FAILED'),"
                                       // microseconds since 2000-01-01, as a TimestampTz
                                       " (extract(epoch FROM min(created_at) FILTER (WHERE status IN ('PENDING', 'RETRYING') AND verb IS DISTINCT FROM 'confirm')) * 1000000)::int8"
                                       " - 946684800000000, count(*) FILTER (WHERE status = 'WAITING_AUTH') FROM autosync.exceptions WHERE instance = $1::int8 GROUP BY target",
                                       {instance}))
        noted[row[0].value_or("")] = {std::stoll(row[1].value_or("0")), std::stoll(row[2].value_or("0")), std::stoll(row[3].value_or("0")),
                                      std::stoll(row[4].value_or("0")), false, std::stoll(row[5].value_or("0")), {}};
    for (const auto &row : pg::execute("SELECT target, lane FROM autosync.target_state WHERE instance = $1::int8 AND paused ORDER BY lane", {instance})) {
        auto &facts = noted[row[0].value_or("")];
        if (row[1].value_or("").empty())
            facts.paused = true;
        else
            facts.paused_lanes.push_back(*row[1]);
    }
    return noted;
}

std::string kind_of(const std::string &target)
{
    const char *const name = target.c_str();
    const Oid server = pg::call([name] { return get_foreign_server_oid(name, true); });
    return OidIsValid(server) ? config::kind_of_server(server) : std::string{};
}

/// A worker that has nothing to do ends by itself, so its absence is worth a word only while something waits.
bool lacks_worker(const State &state, const std::optional<worker::DatabaseSlot> &database)
{
    return !worker::shared_memory_available() || ((!database || database->worker == 0) && state.pending + state.retrying > 0);
}

} // namespace

const char *state_name(worker::TargetState state)
{
    switch (state) {
    case worker::TargetState::active: return "active";
    case worker::TargetState::paused: return "paused";
    case worker::TargetState::backing_off: return "backing_off";
    case worker::TargetState::unreachable: return "unreachable";
    case worker::TargetState::unauthorized: return "unauthorized";
    }
    return "active";
}

std::optional<worker::DatabaseSlot> own_slot()
{
    for (const auto &slot : worker::databases())
        if (slot.database == MyDatabaseId)
            return slot;
    return std::nullopt;
}

std::vector<State> load_states()
{
    const auto identity = outbox::identity();
    return load_states(identity ? backlogs(identity->id, config::target_names()) : Backlogs{});
}

std::vector<State> load_states(const Backlogs &waiting)
{
    const auto identity = outbox::identity();
    const bool adopted = identity && identity->adopted;
    const auto noted = identity ? load_noted(std::to_string(identity->id)) : std::map<std::string, Noted>{};
    const auto database = own_slot();
    const auto slots = worker::targets_of(MyDatabaseId);

    std::vector<State> states;
    for (const auto &name : config::target_names()) {
        auto &state = states.emplace_back();
        state.target = name;
        state.kind = kind_of(name);
        const auto backlog = waiting.find(name);
        if (backlog != waiting.end()) {
            state.pending = backlog->second.events;
            state.oldest_pending = backlog->second.oldest;
        }
        for (const auto &slot : slots)
            if (name == slot.name)
                state.slot = slot;
        const auto facts = noted.find(name);
        bool paused = false;
        if (facts != noted.end()) {
            paused = facts->second.paused;
            state.paused_lanes = facts->second.paused_lanes;
            state.pending += facts->second.marked;
            state.retrying = facts->second.retrying;
            state.failed = facts->second.failed;
            state.waiting_auth = facts->second.waiting;
            if (facts->second.oldest != 0 && (state.oldest_pending == 0 || facts->second.oldest < state.oldest_pending))
                state.oldest_pending = facts->second.oldest;
        }
        state.state = !adopted ? "not_adopted" : paused ? "paused" : lacks_worker(state, database) ? "no_worker" : state_name(state.slot.state);
    }
    return states;
}

} // namespace autosync::operate
