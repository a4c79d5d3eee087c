#include "worker/removal.hpp"

#include <numeric>

#include <nlohmann/json.hpp>

#include "pg/spi.hpp"
#include "targets/atproto_dialogue.hpp"
#include "worker/record_map.hpp"
#include "worker/sessions.hpp"

namespace autosync::worker {

using atproto::Intent;
using nlohmann::json;
namespace kind = targets::atproto;

Removal plan_removal(std::int64_t instance, const std::string &target, Oid source, const config::Target &declared)
{
    Removal removal;
    removal.context = std::make_unique<atproto::Context>();
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        const std::string ours = " FROM autosync.atp_map AS m WHERE m.instance = $1::int8 AND m.target = $2::name AND m.source = $3::oid";
        const std::vector<pg::Cell> which{std::to_string(instance), target, std::to_string(source)};
        const auto did = pg::execute_one("SELECT m.did" + ours + " AND EXISTS (SELECT FROM autosync.atp_store AS s WHERE s.instance = m.instance"
                                         " AND s.target = m.target AND s.did = m.did AND s.status = 'active') LIMIT 1", which);
        if (!did)
            return;
        const auto sessions = load_sessions(instance, target, declared, {*did});
        removal.context->sessions = sessions.usable;
        if (sessions.problem(*did))
            return;
        auto of_did = which;
        of_did.emplace_back(*did);
        for (const auto &row : pg::execute("SELECT m.key, m.collection, m.rkey" + ours + " AND m.did = $4 LIMIT 50", of_did)) {
            Intent intent;
            intent.at = {*did, row[1].value_or(""), row[2].value_or("")};
            removal.keys.push_back(row[0].value_or(""));
            removal.context->intents.push_back(std::move(intent));
        }
    });
    if (removal.keys.empty())
        return removal;
    std::vector<std::size_t> all(removal.keys.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    removal.planned = kind::plan_batch(*removal.context, std::move(all));
    return removal;
}

void note_setbacks(std::int64_t instance, const std::string &target, const atproto::Context &context)
{
    if (context.setbacks.empty())
        return;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        for (const auto &[did, answer] : context.setbacks)
            note_setback(instance, target, did, answer, context.reasons.at(did));
    });
}

void forget_keys(std::int64_t instance, const std::string &target, Oid source, const std::vector<std::string> &keys)
{
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        pg::execute("DELETE FROM autosync.atp_map WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid"
                    " AND key IN (SELECT jsonb_array_elements_text($4::jsonb))",
                    {std::to_string(instance), target, std::to_string(source), dump(json(keys))});
    });
}

std::vector<std::string> recorded_keys(std::int64_t instance, const std::string &target, Oid source, const std::string &after, std::size_t limit)
{
    std::vector<std::string> keys;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        for (auto &row : pg::execute("SELECT key FROM autosync.atp_map WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid"
                                     " AND key COLLATE \"C\" > $4 ORDER BY key COLLATE \"C\" LIMIT $5::int8",
                                     {std::to_string(instance), target, std::to_string(source), after, std::to_string(limit)}))
            keys.push_back(row[0].value_or(""));
    });
    return keys;
}

} // namespace autosync::worker
