// add_target(): server, user mapping, adoption and a first look at the server in one call.

#include <stdexcept>
#include <string>
#include <vector>

#include "config/embedder.hpp"
#include "config/options.hpp"
#include "declaration/adoption.hpp"
#include "declaration/arguments.hpp"
#include "declaration/check.hpp"
#include "declaration/embedder.hpp"
#include "operate/access.hpp"
#include "operate/check.hpp"
#include "pg/spi.hpp"

namespace autosync::declaration {

namespace {

struct Server {
    std::string kind;
    config::Options options;
    config::Options mapping;
};

/// The URL's scheme names the kind; a plain HTTP one is that of a Neo4j server.
Server read_url(const std::string &url)
{
    const std::string kind{config::kind_of_url(url)};
    if (kind == "test" || (kind == "atproto" && url.ends_with("://"))) // the latter finds the PDS of each DID
        return {kind, {}, {}};
    if (const auto http = config::http_url(url))
        return {kind, {{"url", *http}}, {}};
    if (const auto problem = config::url_problem(url); !problem.empty())
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "invalid URL of a target", problem,
                          "Write neo4j://host:7474, neo4j+s://host, http://host:7474, qdrant://host:6333, qdrants://host, atproto://host, "
                          "openai://host/v1 or, for the embedded kind, test://."};
    return {"neo4j", {{"url", url}}, {}};
}

Server read_server(const std::string &url, const config::Options &options)
{
    Server server = read_url(url);
    for (const auto &[name, value] : options) {
        if (const auto error = config::check_target_option(server.kind, name))
            throw pg::Failure{ERRCODE_FDW_INVALID_OPTION_NAME, error->message, {}, error->hint};
        const bool mapped = config::find_option(server.kind, config::Level::user_mapping, name) != nullptr;
        (mapped ? server.mapping : server.options)[name] = value;
    }
    check_options(server.kind, config::Level::server, server.options);
    check_options(server.kind, config::Level::user_mapping, server.mapping);
    return server;
}

void create_server(const std::string &name, const Server &server)
{
    std::string options;
    for (const auto &[option, value] : server.options)
        options += (options.empty() ? "" : ", ") + pg::quote(option) + " " + pg::quote_string(value);
    const Quiet quiet;
    pg::execute("CREATE SERVER " + pg::quote(name) + " FOREIGN DATA WRAPPER autosync_" + server.kind +
                (options.empty() ? "" : " OPTIONS (" + options + ")"));
}

/// Not as SQL text, which errors, logs and statistics would show with the secrets in it.
void create_mapping(const std::string &name, const config::Options &options)
{
    struct Pair {
        const char *name;
        const char *value;
    };
    std::vector<Pair> pairs;
    for (const auto &[option, value] : options)
        pairs.push_back({option.c_str(), value.c_str()});
    const Pair *const first = pairs.data();
    const std::size_t count = pairs.size();
    const char *const server = name.c_str();
    pg::call([=] {
        auto *const user = makeNode(RoleSpec);
        user->roletype = ROLESPEC_PUBLIC;
        auto *const statement = makeNode(CreateUserMappingStmt);
        statement->user = user;
        statement->servername = pstrdup(server);
        for (std::size_t i = 0; i < count; ++i)
            statement->options =
                lappend(statement->options, makeDefElem(pstrdup(first[i].name), reinterpret_cast<Node *>(makeString(pstrdup(first[i].value))), -1));
        (void)CreateUserMapping(statement);
        CommandCounterIncrement();
    });
}

void add_target(const std::string &name, const std::string &url, const config::Options &options)
{
    const auto server = read_server(url, options);
    create_server(name, server);
    if (!server.mapping.empty())
        create_mapping(name, server.mapping);
    check_embedder(name);
    if (server.kind != config::embedder_kind)
        adopt();
    const auto check = operate::check_target(name, GetUserId());
    const std::string what = server.kind == config::embedder_kind ? "embedding service" : "target";
    if (!check.ok)
        pg::report(WARNING, ERRCODE_CONNECTION_EXCEPTION, what + " \"" + name + "\" is declared, but not ready yet", check.detail,
                   "Deliveries wait and begin by themselves; autosync.check_target() looks again.");
}

} // namespace

} // namespace autosync::declaration

AUTOSYNC_SQL(autosync_add_target)
{
    using namespace autosync;
    operate::require_arguments(fcinfo, {"name", "url", "options"});
    const std::string name = pg::name_argument(fcinfo, 0);
    const std::string url = pg::text_argument(fcinfo, 1);
    // Whatever goes wrong, the statement with the secrets in it is not logged.
    try {
        const pg::ActingAs caller{GetUserId(), false}; // for its search_path
        declaration::add_target(name, url, declaration::options_argument(fcinfo, 2));
    } catch (const pg::Error &error) {
        error.hide_statement();
        throw;
    } catch (const pg::Failure &failure) {
        throw pg::Failure{failure.sqlstate(), failure.what(), failure.detail(), failure.hint(), true};
    } catch (const std::invalid_argument &error) {
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, error.what(), {}, {}, true};
    }
    PG_RETURN_VOID();
}
