// What keeps sessions alive, and finds the servers that they are of.
#include <utility>

#include "atproto/session.hpp"
#include "config/options.hpp"
#include "pg/spi.hpp"
#include "worker/sessions.hpp"

namespace autosync::worker {

using atproto::Answer;

std::chrono::milliseconds Keeper::turn(std::chrono::steady_clock::time_point now, const config::Target &declared, bool anything,
                                        const std::vector<std::shared_ptr<Declared>> &syncs)
{
    constexpr std::chrono::milliseconds every{1'000};
    if (!anything && wanted_.empty())
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
                                           " WHERE instance = $1::int8 AND target = $2::name AND status IN ('expired', 'deactivated', 'taken_down')"
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
    look_up_wanted(now, option(declared, "plc_url", "https://plc.directory"));
    return every;
}

void Keeper::look_up(const std::set<std::string> &dids)
{
    wanted_.insert(dids.begin(), dids.end());
    if (!wanted_.empty())
        hurry();
}

/// Not again and again: a server that is down is where it was, most of the time.
void Keeper::look_up_wanted(std::chrono::steady_clock::time_point now, const std::string &directory)
{
    constexpr std::chrono::seconds pause{30};
    for (const auto &did : std::exchange(wanted_, {})) {
        const auto url = access_.url.empty() ? atproto::did_document_url(did, directory) : std::string{};
        auto &last = looked_up_[did];
        if (url.empty() || (last != std::chrono::steady_clock::time_point{} && now < last + pause))
            continue;
        last = now;
        auto access = access_;
        access.bearer_token.clear();
        lookups_.emplace(client_.send({"GET", url, {}, {}}, access, limits_), did);
    }
}

/// What an account is written to from here on. Where it has come from says why a session that it had there is over.
void Keeper::settle(const std::string &did, const http::Response &response)
{
    const auto pds = response.failure == http::Response::Failure::none && response.status == 200 ? atproto::pds_of(response.body, did) : std::string{};
    if (!config::url_problem(pds).empty())
        return; // as it was
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        const std::string same = " WHERE instance = $1::int8 AND target = $2::name AND did = $3 AND coalesce(resolved_at, '-infinity') <> 'infinity'";
        const std::vector<pg::Cell> which{std::to_string(instance_), target_, did, pds};
        // A session of an app password is that of one server: whether the new one takes it is found out by renewing it there.
        const auto moved = pg::execute("UPDATE autosync.atp_store SET moved_from = pds, pds = $4, resolved_at = clock_timestamp(), retry_at = NULL,"
                                       " status = CASE WHEN kind = 'app_password' THEN 'expired' ELSE status END, updated_at = clock_timestamp()" +
                                           same + " AND pds <> $4 RETURNING 1", which);
        pg::execute("UPDATE autosync.atp_store SET resolved_at = clock_timestamp()" + same + " AND pds = $4", which);
        if (!moved.empty())
            outbox::hasten(instance_, target_, did);
    });
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
    if (const auto lookup = lookups_.extract(ticket); !lookup.empty()) {
        settle(lookup.mapped(), response);
        return true;
    }
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
    const bool over = reading.answer == Answer::expired || reading.answer == Answer::revoked || reading.answer == Answer::invalid || (granted && !mine);
    const auto ended = over ? atproto::account_state(reading.message) : mine && !granted->active ? atproto::account_state(granted->status) : "active";
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
        const std::string again = " retry_at = CASE WHEN $5 IN ('deactivated', 'taken_down') THEN clock_timestamp() + interval '5 min' END,";
        if (mine) { // also of an account that is not active: a refresh token works once
            const auto &tokens = granted->tokens;
            pg::execute("UPDATE autosync.atp_store SET status = $5," + again + " last_error = CASE WHEN $5 <> 'active' THEN 'the account is ' || $5 END,"
                        " access_jwt = $6, refresh_jwt = coalesce(nullif($7, ''), refresh_jwt), token_nonce = nullif($9, ''),"
                        " expires_at = CASE WHEN $8::int8 > 0 THEN to_timestamp($8::int8) END, moved_from = NULL, updated_at = clock_timestamp()" + same,
                        with({ended == "revoked" ? "deactivated" : ended, tokens.access, tokens.refresh, std::to_string(tokens.expires_at), renewal.nonce}));
            if (granted->active)
                outbox::end_waiting(instance_, target_, renewal.did);
        } else if (over) {
            pg::execute("UPDATE autosync.atp_store SET status = $5," + again + " updated_at = clock_timestamp(), last_error ="
                        " coalesce('the account has moved from ' || moved_from || ' to ' || pds || ': ', '') || $6" + same,
                        with({ended, reading.message}));
            outbox::explain_waiting(instance_, target_, renewal.did, ended == "revoked" ? over_text(renewal.did) : reading.message);
        } else {
            const auto pause = reading.retry_after.value_or(std::chrono::seconds{10});
            pg::execute("UPDATE autosync.atp_store SET retry_at = clock_timestamp() + $5::float8 * interval '1 s', last_error = $6,"
                        " updated_at = clock_timestamp()" + same,
                        with({std::to_string(pause.count()), reading.message}));
        }
    });
}

} // namespace autosync::worker
