#include "worker/sessions.hpp"

#include <nlohmann/json.hpp>

#include "config/options.hpp"
#include "pg/spi.hpp"

namespace autosync::worker {

namespace {

using atproto::Answer;

std::string list_of(const std::set<std::string> &dids)
{
    std::string list = "{";
    for (const auto &did : dids)
        list += (list.size() > 1 ? ",\"" : "\"") + did + "\""; // a DID has neither quotes nor backslashes
    return list + "}";
}

/// Why a session in this state cannot be used.
std::string reason_of(const std::string &did, const std::string &status, const std::string &error)
{
    if (status == "expired")
        return "the session of " + did + " is being renewed";
    if (status == "revoked")
        return over_text(did) + "; " + error;
    return "the account " + did + " is " + (status == "deactivated" ? "deactivated" : "taken down") + ": it is looked at again every five minutes; " + error;
}

} // namespace

std::string option(const config::Target &declared, const char *name, const char *fallback)
{
    const auto &options = declared.description.options;
    const auto found = options.find(name);
    return found == options.end() ? fallback : found->second;
}

std::string over_text(const std::string &did) { return "the session of " + did + " is over: sign in anew with autosync.atp_login()"; }

std::optional<std::string> Sessions::problem(const std::string &did) const
{
    if (usable.contains(did))
        return std::nullopt;
    const auto found = unusable.find(did);
    return found == unusable.end() ? "there is no session for " + did + ": sign in with autosync.atp_login()" : found->second;
}

Sessions load_sessions(std::int64_t instance, const std::string &target, const config::Target &declared, const std::set<std::string> &dids)
{
    Sessions sessions;
    if (dids.empty())
        return sessions;
    const std::vector<pg::Cell> which{std::to_string(instance), target, list_of(dids)};
    pg::execute("UPDATE autosync.atp_store SET status = 'expired', updated_at = clock_timestamp() WHERE instance = $1::int8 AND target = $2::name"
                " AND did = ANY ($3::text[]) AND status = 'active' AND expires_at < clock_timestamp() + interval '30 s'",
                which);
    for (const auto &row : pg::execute("SELECT did, pds, status, access_jwt, coalesce(dpop_key, ''), coalesce(dpop_nonce, ''), coalesce(last_error, ''),"
                                       " coalesce(resolved_at, '-infinity') < clock_timestamp() - interval '1 h', points_left,"
                                       " ceil(extract(epoch FROM points_until - clock_timestamp()))::int8"
                                       " FROM autosync.atp_store WHERE instance = $1::int8 AND target = $2::name AND did = ANY ($3::text[])",
                                       which)) {
        const auto did = row[0].value_or("");
        if (row[7] == "t" && declared.description.access.url.empty())
            sessions.stale.insert(did);
        if (row[8] && row[9] && std::stoll(*row[9]) > 0)
            sessions.saved[did] = {static_cast<unsigned>(std::stoul(*row[8])), std::chrono::seconds{std::stoll(*row[9])}};
        if (row[2] != "active") {
            sessions.unusable[did] = reason_of(did, row[2].value_or(""), row[6].value_or(""));
            continue;
        }
        atproto::Session session;
        session.did = did;
        session.own_server = declared.description.access.url.empty();
        session.pds = session.own_server ? row[1].value_or("") : declared.description.access.url;
        session.nonce = row[5].value_or("");
        auto access = std::make_shared<http::Access>(declared.description.access);
        access->url = session.pds;
        access->bearer_token = row[3].value_or("");
        session.access = std::move(access);
        if (!row[4].value_or("").empty())
            session.key = std::make_shared<atproto::ProofKey>(*row[4]);
        sessions.usable[did] = std::move(session);
    }
    return sessions;
}

void note_setback(std::int64_t instance, const std::string &target, const std::string &did, Answer answer, const std::string &reason)
{
    const auto state = answer == Answer::revoked ? atproto::account_state(reason) : "expired";
    pg::execute("UPDATE autosync.atp_store SET status = $4, last_error = $5, updated_at = clock_timestamp(),"
                " retry_at = CASE WHEN $4 IN ('deactivated', 'taken_down') THEN clock_timestamp() + interval '5 min' END"
                " WHERE instance = $1::int8 AND target = $2::name AND did = $3 AND status = 'active'",
                {std::to_string(instance), target, did, state, reason});
}

void note_use(std::int64_t instance, const std::string &target, const atproto::Context &context)
{
    auto list = nlohmann::json::array();
    for (const auto &[did, session] : context.sessions) {
        const auto budget = context.budgets == nullptr ? nullptr : &(*context.budgets)[did];
        if (budget == nullptr || budget->fresh())
            continue;
        const auto [left, time] = budget->outlook(atproto::Budget::Clock::now());
        list.push_back({{"did", did}, {"nonce", session.nonce}, {"points", left}, {"seconds", time.count()}});
    }
    if (!list.empty())
        pg::execute("UPDATE autosync.atp_store AS s SET dpop_nonce = coalesce(nullif(e.nonce, ''), s.dpop_nonce), points_left = e.points,"
                    " points_until = clock_timestamp() + e.seconds * interval '1 s' FROM jsonb_to_recordset($3::jsonb)"
                    " AS e (did text, nonce text, points int4, seconds int8) WHERE s.instance = $1::int8 AND s.target = $2::name AND s.did = e.did",
                    {std::to_string(instance), target, list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)});
}

outbox::Waiting wait_for(const Item &item, outbox::Waiting waiting)
{
    waiting.source = item.table;
    waiting.key = item.wanted.key;
    waiting.event_id = item.event_id;
    waiting.operation = item.operation;
    return waiting;
}

std::string telling(const std::vector<std::shared_ptr<Declared>> &declared)
{
    std::string list = "{";
    for (const auto &one : declared) {
        const auto notify = one->sync.options.find("notify");
        if (notify != one->sync.options.end() && config::parse_boolean(notify->second))
            list += (list.size() > 1 ? "," : "") + std::to_string(one->sync.table);
    }
    return list + "}";
}

outbox::Patience patience_of(const config::Target &declared)
{
    return {config::parse_boolean(option(declared, "pending", "on")), config::parse_duration(option(declared, "pending_ttl", "1h")),
            std::stoi(option(declared, "pending_max_attempts", "3"))};
}

} // namespace autosync::worker
