#include "config/target.hpp"

#include <algorithm>

#include "config/connection.hpp"
#include "config/embedder.hpp"
#include "config/options.hpp"
#include "config/settings.hpp"
#include "pg/bridge.hpp"
#include "pg/spi.hpp"

namespace autosync::config {

namespace {

std::chrono::milliseconds duration_or(const Options &options, const char *name, std::chrono::milliseconds fallback)
{
    const auto *const value = find(options, name);
    return value == nullptr ? fallback : parse_duration(*value);
}

/// What identifies us is kept apart from how the server is reached.
http::Access access(Connection &connection)
{
    auto result = connection.access();
    result.username = connection.secret("username");
    result.password = connection.secret("password");
    result.bearer_token = connection.secret("bearer_token");
    if (auto key = connection.secret("api_key"); !key.empty())
        result.secret_headers.emplace_back("api-key", std::move(key));
    if (connection.problem.empty() && !result.bearer_token.empty() && !result.username.empty())
        connection.problem = "the user mapping has both a bearer token and a user name";
    return result;
}

} // namespace

std::string kind_of_server(Oid server)
{
    auto kind = wrapper_kind(server);
    return targets::find(kind) == nullptr ? std::string{} : kind;
}

std::vector<std::string> target_names()
{
    std::vector<std::string> names;
    for (const auto &row :
         pg::execute("SELECT s.srvname, s.oid FROM pg_catalog.pg_foreign_server s JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw "
                     "WHERE w.fdwname ~ '^autosync_' ORDER BY s.srvname"))
        if (!kind_of_server(static_cast<Oid>(std::stoul(*row[1]))).empty())
            names.push_back(*row[0]);
    return names;
}

http::Limits limits_of(const Options &options)
{
    http::Limits limits;
    limits.connect_timeout = std::chrono::milliseconds{settings.connect_timeout};
    limits.request_timeout = duration_or(options, "request_timeout", std::chrono::milliseconds{settings.request_timeout});
    limits.allowed_hosts = settings.allowed_hosts == nullptr ? "*" : settings.allowed_hosts;
    return limits;
}

std::optional<Target> load_target(const std::string &name, Oid user)
{
    auto connection = load_connection(name, user);
    if (!connection || targets::find(connection->kind) == nullptr)
        return std::nullopt;

    Target target;
    target.server = connection->server;
    target.name = name;
    target.kind = targets::find(connection->kind);
    target.description.name = name;
    target.description.options = connection->options;
    target.description.access = access(*connection);
    target.description.embedder = load_embedder(*connection, user);
    target.problem = connection->problem;

    const auto &options = target.description.options;
    const auto *const enabled = find(options, "enabled");
    target.enabled = enabled == nullptr || parse_boolean(*enabled);
    target.batch_size = number_or(options, "batch_size", static_cast<std::size_t>(settings.batch_size));
    target.max_in_flight = number_or(options, "max_in_flight", static_cast<unsigned>(settings.max_in_flight));
    target.max_attempts = number_or(options, "max_attempts", static_cast<unsigned>(settings.max_attempts));
    target.rate_limit = number_or(options, "rate_limit", 0.0);
    target.backoff.initial = duration_or(options, "retry_initial_delay", std::chrono::milliseconds{settings.retry_initial_delay});
    target.backoff.maximum = std::max(target.backoff.initial, duration_or(options, "retry_max_delay", std::chrono::milliseconds{settings.retry_max_delay}));
    target.limits = limits_of(options);
    if (const auto *const ttl = find(options, "event_ttl"); ttl != nullptr)
        target.event_ttl = parse_duration(*ttl);
    if (const auto *const time = find(options, "debounce"); time != nullptr)
        target.debounce = parse_duration(*time);
    return target;
}

std::chrono::milliseconds debounce(const Options &sync, const std::optional<std::chrono::milliseconds> &server)
{
    return duration_or(sync, "debounce", server.value_or(std::chrono::milliseconds{settings.debounce}));
}

std::chrono::milliseconds event_ttl(const Options &sync, const std::optional<std::chrono::milliseconds> &server)
{
    return duration_or(sync, "event_ttl", server.value_or(std::chrono::seconds{settings.event_ttl}));
}

std::chrono::milliseconds event_ttl(const Sync &sync)
{
    const auto connection = load_connection(sync.target, InvalidOid);
    const auto *const declared = connection ? find(connection->options, "event_ttl") : nullptr;
    return event_ttl(sync.options, declared == nullptr ? std::nullopt : std::optional{parse_duration(*declared)});
}

} // namespace autosync::config
