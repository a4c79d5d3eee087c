#include "worker/sessions.hpp"

#include <stdexcept>

#include "atproto/session.hpp"
#include "config/options.hpp"
#include "pg/spi.hpp"

namespace autosync::worker {

namespace {

using atproto::Answer;

std::string option(const config::Target &declared, const char *name, const char *fallback)
{
    const auto &options = declared.description.options;
    const auto found = options.find(name);
    return found == options.end() ? fallback : found->second;
}

std::string over_text(const std::string &did) { return "the session of " + did + " is over: sign in anew with autosync.atp_login()"; }

std::string list_of(const std::set<std::string> &dids)
{
    std::string list = "{";
    for (const auto &did : dids)
        list += (list.size() > 1 ? ",\"" : "\"") + did + "\""; // a DID has neither quotes nor backslashes
    return list + "}";
}

} // namespace

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
    for (const auto &row : pg::execute("SELECT did, pds, status, access_jwt, coalesce(dpop_key, ''), coalesce(dpop_nonce, ''), coalesce(last_error, '')"
                                       " FROM autosync.atp_store WHERE instance = $1::int8 AND target = $2::name AND did = ANY ($3::text[])",
                                       which)) {
        const auto did = row[0].value_or("");
        if (row[2] != "active") {
            sessions.unusable[did] = row[2] == "expired" ? "the session of " + did + " is being renewed"
                                                         : over_text(did) + "; " + row[6].value_or("");
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
    const bool over = answer == Answer::revoked;
    pg::execute("UPDATE autosync.atp_store SET status = $4, last_error = $5, updated_at = clock_timestamp()"
                " WHERE instance = $1::int8 AND target = $2::name AND did = $3 AND status = 'active'",
                {std::to_string(instance), target, did, over ? "revoked" : "expired",
                 reason});
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

std::chrono::milliseconds Keeper::turn(std::chrono::steady_clock::time_point now, const config::Target &declared, bool anything,
                                        const std::vector<std::shared_ptr<Declared>> &syncs)
{
    constexpr std::chrono::milliseconds every{1'000};
    if (!anything)
        return std::chrono::hours{1};
    if (now < look_at_)
        return std::chrono::ceil<std::chrono::milliseconds>(look_at_ - now);
    look_at_ = now + every;
    access_ = declared.description.access;
    limits_ = declared.limits;
    std::vector<Renewal> due;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        outbox::expire_waiting(instance_, target_, telling(syncs));
        if (config::parse_boolean(option(declared, "auto_retry", "on")))
            outbox::wake_waiting(instance_, target_);
        // Written down before it is asked: whoever looks knows that the token may be used up.
        for (const auto &row : pg::execute("UPDATE autosync.atp_store SET retry_at = clock_timestamp() + interval '30 s', updated_at = clock_timestamp()"
                                           " WHERE instance = $1::int8 AND target = $2::name AND status = 'expired'"
                                           " AND coalesce(retry_at, '-infinity') <= clock_timestamp()"
                                           " RETURNING did, pds, refresh_jwt, kind, coalesce(token_endpoint, ''), coalesce(client_id, ''),"
                                           " coalesce(dpop_key, ''), coalesce(token_nonce, '')",
                                           {std::to_string(instance_), target_})) {
            Renewal renewal;
            renewal.did = row[0].value_or("");
            renewal.refresh = row[2].value_or("");
            const auto pds = access_.url.empty() ? row[1].value_or("") : access_.url;
            if (row[3] == "oauth") {
                renewal.request = atproto::refresh_oauth(row[4].value_or(""), row[5].value_or(""), renewal.refresh);
                renewal.key = std::make_shared<atproto::ProofKey>(row[6].value_or(""));
                renewal.nonce = row[7].value_or("");
            } else {
                renewal.request = atproto::refresh_session(pds);
            }
            due.push_back(std::move(renewal));
        }
    });
    for (auto &renewal : due)
        ask(std::move(renewal));
    return every;
}

http::Access Keeper::access_of(const Renewal &renewal) const
{
    auto access = access_;
    access.url.clear();
    if (!renewal.key) {
        access.bearer_token = renewal.refresh;
        return access;
    }
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    const auto id = atproto::proof_id();
    access.secret_headers.emplace_back("DPoP", atproto::proof(*renewal.key, {"POST", renewal.request.url, renewal.nonce, "", now, id}));
    return access;
}

void Keeper::ask(Renewal renewal)
{
    const auto access = access_of(renewal);
    const auto ticket = client_.send(renewal.request, access, limits_);
    asked_.emplace(ticket, std::move(renewal));
}

bool Keeper::answer(http::Client::Ticket ticket, const http::Response &response)
{
    auto found = asked_.extract(ticket);
    if (found.empty())
        return false;
    auto &renewal = found.mapped();
    if (auto nonce = atproto::header(response, "dpop-nonce"); !nonce.empty())
        renewal.nonce = std::move(nonce);
    if (atproto::read_answer(response).answer == Answer::nonce && !renewal.repeated) {
        renewal.repeated = true;
        ask(std::move(renewal));
        return true;
    }
    settle(renewal, response);
    return true;
}

void Keeper::settle(const Renewal &renewal, const http::Response &response)
{
    const auto reading = atproto::read_answer(response);
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    const auto granted = renewal.key ? atproto::read_oauth(response, now) : atproto::read_session(response);
    const bool mine = granted && (granted->did.empty() || granted->did == renewal.did);
    const bool over = reading.answer == Answer::expired || reading.answer == Answer::revoked || reading.answer == Answer::invalid ||
                      (granted && (!mine || !granted->active));
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        // Only what was asked for: somebody may have signed in anew meanwhile.
        const std::string same = " WHERE instance = $1::int8 AND target = $2::name AND did = $3 AND refresh_jwt = $4";
        const std::vector<pg::Cell> which{std::to_string(instance_), target_, renewal.did, renewal.refresh};
        const auto with = [&](std::vector<pg::Cell> more) {
            auto all = which;
            all.insert(all.end(), more.begin(), more.end());
            return all;
        };
        if (mine && granted->active) {
            const auto &tokens = granted->tokens;
            pg::execute("UPDATE autosync.atp_store SET access_jwt = $5, refresh_jwt = coalesce(nullif($6, ''), refresh_jwt),"
                        " expires_at = CASE WHEN $7::int8 > 0 THEN to_timestamp($7::int8) END, token_nonce = nullif($8, ''), status = 'active',"
                        " retry_at = NULL, last_error = NULL, updated_at = clock_timestamp()" + same,
                        with({tokens.access, tokens.refresh, std::to_string(tokens.expires_at), renewal.nonce}));
            outbox::end_waiting(instance_, target_, renewal.did);
        } else if (over) {
            pg::execute("UPDATE autosync.atp_store SET status = 'revoked', retry_at = NULL, last_error = $5, updated_at = clock_timestamp()" + same,
                        with({granted && !granted->active ? "the account is " + granted->status : reading.message}));
            outbox::explain_waiting(instance_, target_, renewal.did, over_text(renewal.did));
        } else {
            const auto pause = reading.retry_after.value_or(std::chrono::seconds{10});
            pg::execute("UPDATE autosync.atp_store SET retry_at = clock_timestamp() + $5::float8 * interval '1 s', last_error = $6,"
                        " updated_at = clock_timestamp()" + same,
                        with({std::to_string(pause.count()), reading.message}));
        }
    });
}

} // namespace autosync::worker
