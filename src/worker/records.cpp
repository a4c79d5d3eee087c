#include "worker/records.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "atproto/tid.hpp"
#include "outbox/notices.hpp"
#include "pg/spi.hpp"
#include "targets/atproto_mapping.hpp"
#include "worker/record_map.hpp"
#include "worker/sessions.hpp"
#include "worker/writeback.hpp"

namespace autosync::worker {

namespace {

using atproto::Address;
using atproto::Intent;
using atproto::There;
using nlohmann::json;
namespace kind = targets::atproto;

/// Rises within this process, and from one worker to the next with the clock.
std::string next_tid()
{
    static std::int64_t last = 0;
    static const unsigned clock = static_cast<unsigned>(MyProcPid) & 1'023U;
    constexpr std::int64_t epoch = 946'684'800'000'000; // 2000-01-01 in microseconds since 1970
    last = std::max(last + 1, static_cast<std::int64_t>(GetCurrentTimestamp()) + epoch);
    return atproto::tid(last, clock);
}

std::string now_text()
{
    return pg::execute_one("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')").value_or("");
}

/// What a change asks for; nullopt: there is nothing to do. `forced`: the repository is asked, whatever the map says.
std::optional<Intent> intend(const kind::Compiled &mapping, const mapping::Source &source, const mapping::Change &change, const Known *known,
                             const std::string &now, bool forced)
{
    Intent intent;
    if (known != nullptr) {
        intent.at = known->at;
        intent.former = known->former;
        intent.there = forced || !known->confirmed ? There::unknown : known->cid.empty() ? There::no : There::yes;
    }
    try {
        const auto did = change.removed ? std::string{} : kind::did_of(mapping, change);
        if (did.empty() || !kind::has_record(mapping, change))
            return known == nullptr ? std::nullopt : std::optional{intent};
        auto rkey = kind::rkey_of(mapping, change);
        if (rkey.empty())
            rkey = known != nullptr && atproto::is_tid(known->at.rkey) ? known->at.rkey : next_tid();
        const Address at{did, mapping.collection, rkey};
        if (known == nullptr) {
            intent.there = There::no;
        } else if (at != known->at) {
            std::erase(intent.former, at);
            intent.former.push_back(known->at);
            intent.there = There::unknown;
        }
        intent.at = at;
        auto record = kind::record_of(mapping, source, change, known == nullptr ? now : known->created_at);
        intent.record = std::move(record.json);
        intent.cid = std::move(record.cid);
        const bool same = !forced && known != nullptr && known->confirmed && known->at == at && known->cid == intent.cid && intent.former.empty();
        if (same)
            return std::nullopt;
    } catch (const std::invalid_argument &problem) {
        intent.problem = problem.what();
    }
    return intent;
}

/// What an identity lacks to be written for now; nullopt: nothing.
std::optional<outbox::Waiting> obstacle(const Sessions &sessions, std::map<std::string, atproto::Budget> &budgets,
                                        std::map<std::string, unsigned> &planned, const Intent &intent)
{
    std::set<std::string> dids{intent.at.did};
    for (const auto &at : intent.former)
        dids.insert(at.did);
    outbox::Waiting waiting;
    for (const auto &did : dids) {
        waiting.did = did;
        if (auto problem = sessions.problem(did)) {
            waiting.authentication = true;
            waiting.message = std::move(*problem);
            return waiting;
        }
    }
    const auto now = atproto::Budget::Clock::now();
    auto &budget = budgets[intent.at.did];
    auto &spent = planned[intent.at.did];
    const auto wanted = spent + intent.points();
    if (budget.left(now) < wanted) {
        constexpr std::chrono::seconds least{1};
        waiting.did = intent.at.did;
        waiting.message = "the rate limit of " + intent.at.did + " is reached";
        waiting.delay = std::max<std::chrono::milliseconds>(least, std::chrono::ceil<std::chrono::milliseconds>(budget.next(intent.points(), now) - now));
        return waiting;
    }
    spent = wanted;
    return std::nullopt;
}

} // namespace

std::unique_ptr<atproto::Context> prepare_records(std::int64_t instance, const std::string &target, Flight &flight,
                                                  std::map<std::string, atproto::Budget> &budgets)
{
    auto context = std::make_unique<atproto::Context>();
    context->budgets = &budgets;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        const auto known = load_known(instance, target, flight.items);
        const auto now = now_text();
        std::vector<std::optional<Intent>> intents;
        std::set<std::string> dids;
        for (std::size_t i = 0; i < flight.changes.size(); ++i) {
            const auto &change = flight.changes[i];
            const auto found = known.find({flight.items[i].table, flight.items[i].wanted.key});
            auto intent = intend(static_cast<const kind::Compiled &>(*flight.mappings[change.source]), *flight.sources[change.source], change,
                                 found == known.end() ? nullptr : &found->second, now, flight.items[i].verb == "publish" || flight.items[i].verb == "confirm");
            if (intent && intent->problem.empty()) {
                dids.insert(intent->at.did);
                for (const auto &at : intent->former)
                    dids.insert(at.did);
            }
            intents.push_back(std::move(intent));
        }
        const auto sessions = load_sessions(instance, target, flight.target, dids);
        std::map<std::string, unsigned> planned;
        std::vector<Item> items;
        std::vector<mapping::Change> changes;
        for (std::size_t i = 0; i < intents.size(); ++i) {
            auto &item = flight.items[i];
            if (!intents[i]) {
                flight.done.push_back(arrived(item));
                continue;
            }
            auto waiting = intents[i]->problem.empty() ? obstacle(sessions, budgets, planned, *intents[i]) : std::nullopt;
            if (waiting) {
                flight.waiting.push_back(wait_for(item, std::move(*waiting)));
                continue;
            }
            items.push_back(std::move(item));
            changes.push_back(std::move(flight.changes[i]));
            context->intents.push_back(std::move(*intents[i]));
        }
        flight.items = std::move(items);
        flight.changes = std::move(changes);
        context->sessions = sessions.usable;
        find_rivals(instance, target, flight.items, context->intents);
        write_down(instance, target, flight.items, context->intents, now);
    });
    return context;
}

void settle_records(std::int64_t instance, const std::string &target, const Flight &flight, std::int64_t version)
{
    const auto &context = *flight.context;
    const auto &results = flight.delivery->results();
    auto confirmed = json::array();
    auto gone = json::array();
    auto cleared = json::array();
    for (std::size_t i = 0; i < results.size(); ++i) {
        const auto &intent = context.intents[i];
        if (!intent.problem.empty())
            continue;
        json row{{"source", flight.items[i].table}, {"key", flight.items[i].wanted.key}};
        // A lost request may still bring back what is removed: where that would be is not forgotten before it has been looked for.
        const bool doubtful = intent.removes() && (results[i].in_doubt || flight.items[i].doubtful);
        if (results[i].state != delivery::Result::State::delivered || doubtful) {
            row["former"] = to_json(intent.former);
            row["removed"] = doubtful && results[i].state == delivery::Result::State::delivered;
            cleared.push_back(std::move(row));
        } else if (intent.removes()) {
            gone.push_back(std::move(row));
        } else {
            row["cid"] = intent.confirmed.empty() ? intent.cid : intent.confirmed;
            confirmed.push_back(std::move(row));
        }
    }
    std::string writing = "{";
    for (const auto &declared : flight.declared)
        if (writes_back(declared->sync))
            writing += (writing.size() > 1 ? "," : "") + std::to_string(declared->sync.table);
    writing += "}";
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        const std::string rows = " FROM jsonb_to_recordset($3::jsonb) AS e (source oid, key text, cid text, former jsonb, removed bool)"
                                 " WHERE m.instance = $1::int8 AND m.target = $2::name AND m.source = e.source AND m.key = e.key";
        const std::vector<pg::Cell> parameters{std::to_string(instance), target};
        const auto run = [&](const std::string &statement, const json &list, const std::vector<pg::Cell> &more = {}) {
            if (list.empty())
                return;
            auto all = parameters;
            all.emplace_back(dump(list));
            all.insert(all.end(), more.begin(), more.end());
            pg::execute(statement, all);
        };
        const std::string asks = telling(flight.declared);
        const std::string address = "'at://' || r.did || '/' || r.collection || '/' || r.rkey";
        run("WITH told AS (SELECT m.target, m.source, m.key, m.did, m.collection, m.rkey, e.cid, m.cid IS DISTINCT FROM e.cid OR m.former <> '[]' AS changed FROM autosync.atp_map AS m,"
            " jsonb_to_recordset($3::jsonb) AS e (source oid, key text, cid text) WHERE m.instance = $1::int8 AND m.target = $2::name AND m.source = e.source AND m.key = e.key)" +
                outbox::tell("told", "CASE WHEN r.changed THEN 'record_published' END", ", 'did', r.did, 'uri', " + address + ", 'cid', r.cid", "$4"),
            asks == "{}" ? json::array() : confirmed, {asks});
        run("UPDATE autosync.atp_map AS m SET cid = e.cid, confirmed = true, former = '[]', version = $4::int8, written = NOT m.source = ANY ($5::oid[]),"
            " published_at = coalesce(m.published_at, clock_timestamp())" + rows, confirmed, {std::to_string(version), writing});
        run("UPDATE autosync.atp_map AS m SET former = e.former, published_at = CASE WHEN e.removed THEN NULL ELSE m.published_at END" + rows, cleared);
        run("WITH gone AS (DELETE FROM autosync.atp_map AS m USING jsonb_to_recordset($3::jsonb) AS e (source oid, key text)"
            " WHERE m.instance = $1::int8 AND m.target = $2::name AND m.source = e.source AND m.key = e.key RETURNING m.*)" +
                outbox::tell("gone", "CASE WHEN r.published_at IS NOT NULL THEN 'record_unpublished' END", ", 'did', r.did, 'uri', " + address, "$4"),
            gone, {asks});
        for (const auto &[did, answer] : context.setbacks)
            note_setback(instance, target, did, answer, context.reasons.at(did));
    });
}

} // namespace autosync::worker
