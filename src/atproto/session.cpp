#include "atproto/session.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "atproto/base.hpp"
#include "atproto/syntax.hpp"

namespace autosync::atproto {
namespace {

using nlohmann::json;

constexpr std::size_t most = 1U << 20;
constexpr std::int64_t latest = 253'402'300'799; // the end of the year 9999: times beyond it are none, and nobody shall reckon with them

json parse(std::string_view text) { return text.size() > most ? json{} : json::parse(text, nullptr, false); }

std::string member(const json &object, const char *name)
{
    if (!object.is_object())
        return {};
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::string service_of(const json &document, std::string_view did)
{
    if (member(document, "id") != did || !document.contains("service") || !document["service"].is_array())
        return {};
    for (const auto &service : document["service"]) {
        const auto id = member(service, "id");
        if (id != "#atproto_pds" && id != std::string{did} + "#atproto_pds")
            continue;
        auto url = member(service, "serviceEndpoint");
        while (url.ends_with('/'))
            url.pop_back();
        return url;
    }
    return {};
}

std::string form_encoded(std::string_view text)
{
    constexpr std::string_view hex = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~')
            out += c;
        else
            (out += '%').append({hex[byte >> 4U], hex[byte & 15U]});
    }
    return out;
}

http::Request post(const std::string &url, std::string body)
{
    http::Request request{"POST", url, {}, std::move(body)};
    if (!request.body.empty())
        request.headers.emplace_back("Content-Type", "application/json");
    return request;
}

} // namespace

http::Request create_session(const std::string &pds, const std::string &identifier, const std::string &password)
{
    return post(pds + "/xrpc/com.atproto.server.createSession",
                json{{"identifier", identifier}, {"password", password}}.dump(-1, ' ', false, json::error_handler_t::replace));
}

http::Request refresh_session(const std::string &pds) { return post(pds + "/xrpc/com.atproto.server.refreshSession", ""); }
http::Request delete_session(const std::string &pds) { return post(pds + "/xrpc/com.atproto.server.deleteSession", ""); }

std::optional<Granted> read_session(const http::Response &response)
{
    const auto body = parse(response.body);
    Granted granted;
    granted.did = member(body, "did");
    granted.handle = member(body, "handle");
    granted.tokens = {member(body, "accessJwt"), member(body, "refreshJwt"), 0};
    granted.tokens.expires_at = expiry_of(granted.tokens.access);
    if (response.failure != http::Response::Failure::none || response.status != 200 || !is_did(granted.did) || granted.tokens.access.empty() ||
        granted.tokens.refresh.empty())
        return std::nullopt;
    if (body.contains("didDoc"))
        granted.pds = service_of(body["didDoc"], granted.did);
    if (const auto active = body.find("active"); active != body.end() && active->is_boolean())
        granted.active = active->get<bool>();
    granted.status = granted.active ? "" : member(body, "status");
    return granted;
}

http::Request refresh_oauth(const std::string &endpoint, const std::string &client_id, const std::string &refresh_token)
{
    return {"POST",
            endpoint,
            {{"Content-Type", "application/x-www-form-urlencoded"}},
            "grant_type=refresh_token&client_id=" + form_encoded(client_id) + "&refresh_token=" + form_encoded(refresh_token)};
}

std::optional<Granted> read_oauth(const http::Response &response, std::int64_t now)
{
    const auto body = parse(response.body);
    Granted granted;
    granted.did = member(body, "sub");
    granted.tokens = {member(body, "access_token"), member(body, "refresh_token"), 0};
    if (response.failure != http::Response::Failure::none || response.status != 200 || granted.tokens.access.empty())
        return std::nullopt;
    if (const auto lifetime = body.find("expires_in"); lifetime != body.end() && lifetime->is_number_integer())
        granted.tokens.expires_at = now + std::clamp<std::int64_t>(lifetime->get<std::int64_t>(), 0, latest - now);
    return granted;
}

std::int64_t expiry_of(std::string_view jwt)
{
    const auto first = jwt.find('.');
    const auto second = jwt.find('.', first == std::string_view::npos ? first : first + 1);
    if (second == std::string_view::npos)
        return 0;
    const auto claims = from_base64url(jwt.substr(first + 1, second - first - 1));
    const auto body = claims ? parse(*claims) : json{};
    const auto expiry = body.is_object() ? body.find("exp") : body.end();
    return body.is_object() && expiry != body.end() && expiry->is_number_integer() ? std::clamp<std::int64_t>(expiry->get<std::int64_t>(), 0, latest) : 0;
}

std::string did_document_url(std::string_view did, std::string_view directory)
{
    constexpr std::string_view plc = "did:plc:";
    constexpr std::string_view web = "did:web:";
    if (!is_did(did))
        return {};
    if (did.starts_with(plc))
        return std::string{directory} + "/" + std::string{did};
    const auto host = did.starts_with(web) ? did.substr(web.size()) : std::string_view{};
    constexpr std::string_view local = "localhost%3A"; // the only host with a port, for development
    if (host.starts_with(local) && host.size() > local.size() && host.find_first_not_of("0123456789", local.size()) == std::string_view::npos)
        return "http://localhost:" + std::string{host.substr(local.size())} + "/.well-known/did.json";
    return is_handle(host) ? "https://" + std::string{host} + "/.well-known/did.json" : std::string{}; // host names only, neither ports nor paths
}

std::string pds_of(std::string_view document, std::string_view did) { return service_of(parse(document), did); }

} // namespace autosync::atproto
