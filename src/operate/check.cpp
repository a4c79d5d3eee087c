#include "operate/check.hpp"

#include <algorithm>
#include <optional>

#include "config/embedder.hpp"
#include "config/target.hpp"
#include "mapping/json.hpp"
#include "operate/access.hpp"
#include "operate/ask.hpp"
#include "operate/rows.hpp"
#include "targets/secrets.hpp"
#include "targets/target.hpp"

namespace autosync::operate {

namespace {

constexpr std::chrono::milliseconds answer_time{10'000}; ///< for the answer, once connected
constexpr long not_found = 404;
constexpr long not_allowed = 405;

http::Response look(http::Request request, const http::Access &access, http::Limits limits)
{
    limits.request_timeout = std::min(limits.request_timeout, limits.connect_timeout + answer_time);
    return ask(request, access, limits);
}

std::string status_text(long status) { return "the server answered with HTTP status " + std::to_string(status); }

/// A list of models costs nothing; who has none may have embeddings all the same.
Check check_embedder(config::Connection server)
{
    const auto embedder = config::embedder_of(server);
    Check check;
    check.detail = server.problem;
    if (!check.detail.empty())
        return check;
    http::Headers headers{{"Content-Type", "application/json"}};
    if (!embedder.organization.empty())
        headers.emplace_back("OpenAI-Organization", embedder.organization);
    const auto limits = config::limits_of(server.options);
    const auto &url = embedder.access.url;
    auto response = look({"GET", url + "/models", headers, {}, http::Peer::embedder}, embedder.access, limits);
    if ((response.status == not_found || response.status == not_allowed) && !embedder.model.empty()) {
        std::string body = "{\"input\": [\"ping\"], \"model\": ";
        mapping::json::append_string(body, embedder.model);
        response = look({"POST", url + "/embeddings", headers, body + "}", http::Peer::embedder}, embedder.access, limits);
    }
    check.latency = response.elapsed;
    check.ok = response.failure == http::Response::Failure::none && response.status == 200;
    if (check.ok)
        return check;
    if (response.failure != http::Response::Failure::none)
        check.detail = response.error;
    else if (response.status == 401 || response.status == 403)
        check.detail = status_text(response.status) + ": correct api_key in the user mapping";
    else if (response.status == not_found)
        check.detail = status_text(response.status) + ": the URL is the one that /embeddings is appended to, and mostly ends in /v1";
    else
        check.detail = status_text(response.status);
    return check;
}

} // namespace

Check check_target(const std::string &name, Oid user)
{
    if (auto server = config::load_connection(name, user); server && server->kind == config::embedder_kind)
        return check_embedder(std::move(*server));
    const auto target = config::load_target(name, user);
    if (!target)
        throw pg::Failure{ERRCODE_UNDEFINED_OBJECT, "target \"" + name + "\" does not exist"};
    Check check;
    check.detail = target->problem;
    check.ok = check.detail.empty() && target->kind->capabilities().embedded;
    if (check.ok || !check.detail.empty())
        return check;
    auto response = look(target->kind->probe(target->description), target->description.access, target->limits);
    response.body = targets::without_secrets(target->description, std::move(response.body));
    const auto probe = target->kind->read_probe(response);
    check = {probe.outcome == targets::Outcome::delivered, probe.version, response.elapsed, probe.detail};
    if (!check.ok && check.detail.empty())
        check.detail = response.error.empty() ? status_text(response.status) : response.error;
    return check;
}

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_check_target)
{
    const std::string name = pg::name_argument(fcinfo, 0);
    operate::require_server_usage(name);
    const auto check = operate::check_target(name, GetUserId());
    return operate::one_row(fcinfo, {operate::boolean_text(check.ok), operate::text_or_null(check.server_version),
                                     check.latency.count() > 0 ? pg::Cell{std::to_string(check.latency.count()) + " microseconds"} : pg::Cell{},
                                     operate::text_or_null(check.detail)});
}
