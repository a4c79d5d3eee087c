// atp_login(), atp_set_session(), atp_logout(): sessions of identities. What they carry is secret: no error shows it, nor its statement.

#include <stdexcept>

#include "atproto/dpop.hpp"
#include "atproto/answer.hpp"
#include "atproto/session.hpp"
#include "atproto/syntax.hpp"
#include "capture/wake.hpp"
#include "config/options.hpp"
#include "config/target.hpp"
#include "http/secrets.hpp"
#include "operate/access.hpp"
#include "operate/ask.hpp"
#include "outbox/waiting.hpp"

namespace autosync::operate {

namespace {

using atproto::Answer;

/// A target that the caller may use, of the right kind.
config::Target require_repository_target(const std::string &name)
{
    (void) require_target_usage(name);
    auto target = config::load_target(name, GetUserId());
    if (!target || target->kind->kind() != "atproto")
        throw pg::Failure{ERRCODE_WRONG_OBJECT_TYPE, "target \"" + name + "\" is not of the AT Protocol", {}, "Its wrapper must be autosync_atproto."};
    return std::move(*target);
}

http::Access access_to(const config::Target &target, const std::string &url)
{
    auto access = target.description.access;
    access.url = url;
    return access;
}

[[noreturn]] void unreachable(const std::string &what, const std::string &why)
{
    throw pg::Failure{ERRCODE_CONNECTION_FAILURE, what + " cannot be reached", why, {}, true};
}

/// A server may repeat what it was sent, and the detail of an error is logged.
std::string without_password(std::string message, const std::string &password)
{
    http::Access sent;
    sent.password = password;
    return http::without_secrets(std::move(message), {&sent});
}

/// The DID of a handle, as its host says it.
std::string did_of_handle(const config::Target &target, const std::string &handle)
{
    if (!atproto::is_handle(handle))
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "\"" + handle + "\" is neither a handle nor a DID", {}, {}, true};
    const auto response = ask({"GET", "https://" + handle + "/.well-known/atproto-did", {}, {}}, access_to(target, ""), target.limits);
    auto did = response.status == 200 ? response.body : std::string{};
    while (did.ends_with('\n') || did.ends_with('\r') || did.ends_with(' '))
        did.pop_back();
    if (!atproto::is_did(did))
        throw pg::Failure{ERRCODE_CONNECTION_FAILURE, "the DID of handle \"" + handle + "\" cannot be found", response.error,
                          "Sign in with the DID, or name the PDS in the option \"url\" of the server.", true};
    return did;
}

/// The server that keeps the repository.
std::string pds_of(const config::Target &target, const std::string &did)
{
    if (!target.description.access.url.empty())
        return target.description.access.url;
    const auto &options = target.description.options;
    const auto directory = options.find("plc_url");
    const auto url = atproto::did_document_url(did, directory == options.end() ? "https://plc.directory" : directory->second);
    if (url.empty())
        throw pg::Failure{ERRCODE_FEATURE_NOT_SUPPORTED, "DIDs like \"" + did + "\" cannot be resolved", "did:plc and did:web of a host can.", {}, true};
    const auto response = ask({"GET", url, {}, {}}, access_to(target, ""), target.limits);
    if (response.failure != http::Response::Failure::none)
        unreachable("the directory of \"" + did + "\"", response.error);
    auto pds = atproto::pds_of(response.body, did);
    if (response.status != 200 || !config::url_problem(pds).empty())
        throw pg::Failure{ERRCODE_CONNECTION_FAILURE, "the document of \"" + did + "\" names no PDS", {}, {}, true};
    return pds;
}

struct Entry {
    atproto::Granted granted;
    std::string pds;
    std::string kind = "app_password";
    pg::Cell dpop_key;
    pg::Cell token_endpoint;
    pg::Cell client_id;
    pg::Cell resolved_at; ///< when `pds` was found; 'infinity': it was given
    pg::Cell expires_at; ///< as timestamptz takes it; none: as the token says
};

void store(const config::Target &target, const Entry &entry)
{
    const auto instance = require_instance();
    const std::string caller = std::to_string(GetUserId());
    const auto &tokens = entry.granted.tokens;
    const auto &options = target.description.options;
    const auto automatic = options.find("auto_retry");
    const pg::ActingAs owner{pg::extension_owner(), false};
    pg::execute("INSERT INTO autosync.atp_store (instance, target, did, handle, pds, kind, access_jwt, refresh_jwt, expires_at, dpop_key, token_endpoint,"
                " client_id, status, resolved_at, created_by, created_at, updated_at)"
                " SELECT $1::int8, $2::name, $3, $4, $5, $6, $7, $8, coalesce($9::timestamptz, CASE WHEN $10::int8 > 0 THEN to_timestamp($10::int8) END), $11, $12,"
                " $13, 'active', $15::timestamptz, pg_get_userbyid($14::oid), clock_timestamp(), clock_timestamp()"
                " ON CONFLICT (instance, target, did) DO UPDATE SET handle = excluded.handle, pds = excluded.pds, kind = excluded.kind,"
                " access_jwt = excluded.access_jwt, refresh_jwt = excluded.refresh_jwt, expires_at = excluded.expires_at, dpop_key = excluded.dpop_key,"
                " dpop_nonce = NULL, token_endpoint = excluded.token_endpoint, token_nonce = NULL, client_id = excluded.client_id, status = 'active',"
                " last_error = NULL, retry_at = NULL, resolved_at = excluded.resolved_at, moved_from = NULL, created_by = excluded.created_by, created_at = excluded.created_at, updated_at = excluded.updated_at",
                {instance, target.name, entry.granted.did, entry.granted.handle, entry.pds, entry.kind, tokens.access, tokens.refresh, entry.expires_at,
                 std::to_string(tokens.expires_at), entry.dpop_key, entry.token_endpoint, entry.client_id, caller,
                 entry.resolved_at});
    if (automatic == options.end() || config::parse_boolean(automatic->second))
        outbox::end_waiting(std::stoll(instance), target.name, entry.granted.did);
    capture::wake_at_commit();
}

std::string login(const std::string &identifier, const std::string &password, const std::string &name)
{
    const auto target = require_repository_target(name);
    (void) require_instance();
    std::string pds = target.description.access.url;
    if (pds.empty())
        pds = pds_of(target, atproto::is_did(identifier) ? identifier : did_of_handle(target, identifier));
    const auto response = ask(atproto::create_session(pds, identifier, password), access_to(target, pds), target.limits);
    Entry entry;
    const auto granted = atproto::read_session(response);
    if (!granted) {
        auto reading = atproto::read_answer(response);
        reading.message = without_password(std::move(reading.message), password);
        if (reading.answer == Answer::unreachable || reading.answer == Answer::unknown)
            unreachable("the PDS", reading.message);
        if (reading.answer == Answer::limited)
            throw pg::Failure{ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, "the PDS lets nobody sign in for now", reading.message, "Try again later.", true};
        throw pg::Failure{ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, "the PDS does not let \"" + identifier + "\" sign in", reading.message,
                          "Make an app password in the account's settings.", true};
    }
    if (!granted->active)
        throw pg::Failure{ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, "the account \"" + identifier + "\" is not active", granted->status, {}, true};
    entry.granted = *granted;
    entry.pds = pds;
    entry.resolved_at = "now";
    store(target, entry);
    return granted->did;
}

pg::Cell optional_argument(FunctionCallInfo fcinfo, int index) { return optional_text(fcinfo, index); }

void set_session(FunctionCallInfo fcinfo)
{
    Entry entry;
    entry.granted.did = pg::text_argument(fcinfo, 0);
    const auto target = require_repository_target(pg::name_argument(fcinfo, 1));
    entry.granted.tokens.access = pg::text_argument(fcinfo, 2);
    entry.granted.tokens.refresh = pg::text_argument(fcinfo, 3);
    entry.granted.tokens.expires_at = atproto::expiry_of(entry.granted.tokens.access);
    entry.dpop_key = optional_argument(fcinfo, 4);
    entry.token_endpoint = optional_argument(fcinfo, 5);
    entry.client_id = optional_argument(fcinfo, 6);
    const auto pds = optional_argument(fcinfo, 7);
    entry.granted.handle = optional_argument(fcinfo, 8).value_or("");
    if (!fcinfo->args[9].isnull) {
        const Datum time = fcinfo->args[9].value;
        entry.expires_at = pg::call([time] { return DatumGetCString(DirectFunctionCall1(timestamptz_out, time)); });
    }
    if (!atproto::is_did(entry.granted.did))
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "\"" + entry.granted.did + "\" is no DID", {}, {}, true};
    const bool oauth = entry.dpop_key || entry.token_endpoint || entry.client_id;
    if (oauth) {
        entry.kind = "oauth";
        if (!entry.dpop_key || !entry.token_endpoint || !entry.client_id)
            throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "a session of OAuth has dpop_key, token_endpoint and client_id", {}, {}, true};
        const atproto::ProofKey key{*entry.dpop_key}; // throws for what is none
        if (const auto problem = config::url_problem(*entry.token_endpoint); !problem.empty())
            throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "token_endpoint is no URL", problem, {}, true};
    }
    if (pds && !config::url_problem(*pds).empty())
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "pds is no URL", config::url_problem(*pds), {}, true};
    entry.pds = pds ? *pds : pds_of(target, entry.granted.did);
    entry.resolved_at = pds ? "infinity" : "now";
    store(target, entry);
}

/// Whatever goes wrong, the statement with the secrets in it is not logged.
template <typename Body> auto hidden(Body &&body)
{
    try {
        return body();
    } catch (const pg::Error &error) {
        error.hide_statement();
        throw;
    } catch (const pg::Failure &failure) {
        throw pg::Failure{failure.sqlstate(), failure.what(), failure.detail(), failure.hint(), true};
    } catch (const std::invalid_argument &error) {
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, error.what(), {}, {}, true};
    }
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_atp_login)
{
    const auto did = operate::hidden([fcinfo] {
        operate::require_arguments(fcinfo, {"identifier", "password", "server"});
        return operate::login(pg::text_argument(fcinfo, 0), pg::text_argument(fcinfo, 1), pg::name_argument(fcinfo, 2));
    });
    return pg::text_datum(did);
}

AUTOSYNC_SQL(autosync_atp_set_session)
{
    operate::hidden([fcinfo] {
        operate::require_arguments(fcinfo, {"did", "server", "access_jwt", "refresh_jwt"});
        operate::set_session(fcinfo);
    });
    PG_RETURN_VOID();
}

AUTOSYNC_SQL(autosync_atp_logout)
{
    operate::require_arguments(fcinfo, {"did"});
    const auto did = pg::text_argument(fcinfo, 0);
    const auto server = operate::optional_name(fcinfo, 1);
    if (server)
        (void) operate::require_target_usage(*server);
    const auto instance = operate::require_instance();
    const std::string caller = std::to_string(GetUserId());
    const pg::ActingAs owner{pg::extension_owner(), false};
    const auto count = pg::execute_one("WITH gone AS (DELETE FROM autosync.atp_store AS s USING pg_foreign_server AS f WHERE s.instance = $1::int8 AND s.did = $2"
                                       " AND f.srvname = s.target AND s.target = coalesce($3::name, s.target) AND has_server_privilege($4::oid, f.oid, 'USAGE')"
                                       " RETURNING 1) SELECT count(*) FROM gone",
                                       {instance, did, server, caller});
    PG_RETURN_INT64(count ? std::stoll(*count) : 0);
}
