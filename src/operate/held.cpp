#include "operate/held.hpp"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "atproto/answer.hpp"
#include "mapping/document.hpp"
#include "operate/access.hpp"
#include "operate/ask.hpp"
#include "targets/secrets.hpp"
#include "targets/atproto_request.hpp"
#include "worker/lone_record.hpp"

namespace autosync::operate {

namespace {

using nlohmann::json;
using targets::Held;
using targets::Outcome;

constexpr std::size_t most_bytes = 16U << 20;

Held failed(Outcome outcome, std::string message)
{
    Held held;
    held.problem.outcome = outcome;
    held.problem.message = std::move(message);
    return held;
}

/// autosync_test keeps everything it was sent.
Held ask_table(const config::Sync &sync, const mapping::Change &change, const std::string &key)
{
    Held held;
    held.problem.outcome = Outcome::delivered;
    if (!change.removed)
        mapping::append_document(held.ours, sync.source.columns, change.row);
    const auto instance = require_instance();
    const pg::ActingAs owner{pg::extension_owner(), false};
    held.theirs = pg::execute_one("SELECT document FROM autosync.sent WHERE instance = $1::int8 AND target = $2::name AND source = $3 AND key = $4"
                                  " ORDER BY sent_id DESC LIMIT 1",
                                  {instance, sync.target, sync.source.name, key}, true)
                      .value_or("");
    return held;
}

/// Where a record is, says the map; its repository shows it to everybody.
Held ask_repository(const config::Sync &sync, const config::Target &target, const mapping::Change &change, const std::string &key, const http::Limits &limits)
{
    Held held;
    held.problem.outcome = Outcome::delivered;
    pg::Rows rows;
    {
        const auto instance = require_instance();
        const pg::ActingAs owner{pg::extension_owner(), false};
        const auto context = worker::lone_record(std::stoll(instance), sync, change, key);
        held.ours = context->intents.empty() ? "" : context->intents.front().record;
        rows = pg::execute("SELECT m.did, m.collection, m.rkey, coalesce(nullif($5, ''), s.pds) FROM autosync.atp_map AS m"
                           " LEFT JOIN autosync.atp_store AS s ON s.instance = m.instance AND s.target = m.target AND s.did = m.did"
                           " WHERE m.instance = $1::int8 AND m.target = $2::name AND m.source = $3::oid AND m.key = $4",
                           {instance, sync.target, std::to_string(sync.table), key, target.description.access.url}, true);
    }
    if (rows.empty())
        return held; // never published
    if (!rows[0][3])
        return failed(Outcome::unreachable, "where the repository of " + rows[0][0].value_or("") + " is, nobody has said: it has no session");
    const atproto::Address at{rows[0][0].value_or(""), rows[0][1].value_or(""), rows[0][2].value_or("")};
    http::Access anybody = target.description.access;
    anybody.url = *rows[0][3];
    const auto response = ask(targets::atproto::get_record(anybody.url, at), anybody, limits);
    const auto reading = atproto::read_answer(response);
    if (reading.answer == atproto::Answer::missing)
        return held;
    const auto body = response.body.size() > most_bytes ? json{} : json::parse(response.body, nullptr, false);
    if (reading.answer != atproto::Answer::done || !body.is_object() || !body.contains("value"))
        return failed(reading.answer == atproto::Answer::limited ? Outcome::throttled : Outcome::unreachable, reading.message);
    held.theirs = body["value"].dump(-1, ' ', false, json::error_handler_t::replace);
    return held;
}

json read_object(const std::string &text)
{
    auto parsed = text.empty() || text.size() > most_bytes ? json{} : json::parse(text, nullptr, false);
    return parsed.is_object() ? parsed : json::object();
}

} // namespace

Held ask_for(const config::Sync &sync, const config::Target &target, const mapping::Change &change, const std::string &key, std::chrono::milliseconds longest)
{
    http::Limits limits = target.limits;
    limits.request_timeout = std::min(limits.request_timeout, longest);
    limits.connect_timeout = std::min(limits.connect_timeout, longest);
    if (target.kind->capabilities().embedded)
        return ask_table(sync, change, key);
    if (target.kind->capabilities().mapped)
        return ask_repository(sync, target, change, key, limits);
    const auto mapping = target.kind->compile(sync.source);
    const auto request = target.kind->inspect(target.description, sync.source, *mapping, change);
    if (!request)
        return failed(Outcome::refused, "a target of kind \"" + std::string{target.kind->kind()} + "\" cannot be asked for one entity");
    const auto response = ask(*request, target.description.access_to(*request), limits);
    return targets::read_without_secrets(target.description, response, [&](const http::Response &said) {
        return target.kind->read_held(target.description, sync.source, *mapping, change, said);
    });
}

std::vector<Difference> differences(const Held &held)
{
    const json ours = read_object(held.ours);
    const json theirs = read_object(held.theirs);
    std::set<std::string> fields;
    for (const auto *const side : {&ours, &theirs})
        for (const auto &[field, value] : side->items())
            fields.insert(field);
    const auto text = [](const json &value) { return value.is_null() ? std::string{} : value.dump(-1, ' ', false, json::error_handler_t::replace); };
    std::vector<Difference> found;
    for (const auto &field : fields) {
        const json mine = ours.value(field, json{});
        const json other = theirs.value(field, json{});
        if (mine != other)
            found.push_back({field, text(mine), text(other)});
    }
    return found;
}

} // namespace autosync::operate
