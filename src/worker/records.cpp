#include "worker/records.hpp"

#include <algorithm>
#include <set>

#include "pg/spi.hpp"
#include "worker/intend.hpp"
#include "worker/sessions.hpp"

namespace autosync::worker {

namespace {

using atproto::Intent;

std::string now_text()
{
    return pg::execute_one("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')").value_or("");
}

std::set<std::string> dids_of(const Intent &intent)
{
    std::set<std::string> dids{intent.at.did};
    for (const auto &at : intent.former)
        dids.insert(at.did);
    return dids;
}

/// What an identity lacks to be written for now; nullopt: nothing.
std::optional<outbox::Waiting> obstacle(const Sessions &sessions, std::map<std::string, atproto::Budget> &budgets,
                                        std::map<std::string, unsigned> &planned, const Intent &intent)
{
    outbox::Waiting waiting;
    for (const auto &did : dids_of(intent)) {
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
        const auto owners = load_owners(instance, target, flight.items);
        const References references{instance, target, flight};
        std::vector<Decision> decisions;
        std::set<std::string> dids;
        for (std::size_t i = 0; i < flight.changes.size(); ++i) {
            const Row row{flight.items[i].table, flight.items[i].wanted.key};
            const auto found = known.find(row);
            const auto owner = owners.find(row);
            decisions.push_back(intend({flight, references, i, found == known.end() ? nullptr : &found->second, owner == owners.end() ? "" : owner->second, now,
                                     flight.items[i].verb == "publish" || flight.items[i].verb == "confirm", flight.items[i].verb == "unpublish"}));
            if (const auto &intent = decisions.back().intent; intent && intent->problem.empty() && !intent->kept)
                dids.merge(dids_of(*intent));
        }
        const auto sessions = load_sessions(instance, target, flight.target, dids);
        context->doubtful = sessions.stale;
        for (const auto &[did, saved] : sessions.saved)
            if (auto &budget = budgets[did]; budget.fresh()) // of whoever wrote before this worker
                budget.correct(saved.first, saved.second, atproto::Budget::Clock::now());
        std::map<std::string, unsigned> planned;
        std::vector<Item> items;
        std::vector<mapping::Change> changes;
        for (std::size_t i = 0; i < decisions.size(); ++i) {
            auto &item = flight.items[i];
            auto &[intent, waiting] = decisions[i];
            if (!intent && !waiting) {
                flight.done.push_back({item.table, item.wanted.key, item.event_id, item.captured_at, {}});
                continue;
            }
            if (!waiting && intent->problem.empty() && !intent->kept)
                waiting = obstacle(sessions, budgets, planned, *intent);
            if (waiting) {
                flight.waiting.push_back(wait_for(item, std::move(*waiting)));
                continue;
            }
            items.push_back(std::move(item));
            changes.push_back(std::move(flight.changes[i]));
            context->intents.push_back(std::move(*intent));
        }
        flight.items = std::move(items);
        flight.changes = std::move(changes);
        context->sessions = sessions.usable;
        find_blobs(instance, target, context->intents);
        find_rivals(instance, target, flight.items, context->intents);
        write_down(instance, target, flight.items, context->intents, now);
    });
    return context;
}

} // namespace autosync::worker
