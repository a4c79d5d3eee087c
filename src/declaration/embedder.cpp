#include "declaration/embedder.hpp"

#include "config/connection.hpp"
#include "config/embedder.hpp"
#include "config/target.hpp"
#include "declaration/dependency.hpp"
#include "pg/spi.hpp"

namespace autosync::declaration {

namespace {

Oid require_embedder(const std::string &name)
{
    const char *const text = name.c_str();
    const Oid server = pg::call([text] { return get_foreign_server_oid(text, true); });
    const std::string hint = "Create it with autosync.add_target(" + pg::quote_string(name) +
                             ", 'openai://host/v1') or CREATE SERVER … FOREIGN DATA WRAPPER autosync_openai, or name the API with the option "
                             "\"embed_url\".";
    if (OidIsValid(server) && config::wrapper_kind(server) != config::embedder_kind)
        throw pg::Failure{ERRCODE_WRONG_OBJECT_TYPE, "server \"" + name + "\" of option \"embedder\" is not one of autosync_openai", {}, hint};
    if (OidIsValid(server))
        return server;
    if (check_function_bodies)
        throw pg::Failure{ERRCODE_UNDEFINED_OBJECT, "server \"" + name + "\" of option \"embedder\" does not exist", {}, hint};
    pg::report(WARNING, ERRCODE_UNDEFINED_OBJECT, "server \"" + name + "\" of option \"embedder\" does not exist", {}, hint);
    return InvalidOid;
}

} // namespace

bool restore_embedder(const std::string &server)
{
    const auto connection = config::load_connection(server, InvalidOid);
    const auto *const name = connection ? config::find(connection->options, "embedder") : nullptr;
    const auto embedder = name == nullptr ? std::nullopt : config::load_connection(*name, InvalidOid);
    if (!embedder || embedder->kind != config::embedder_kind)
        return true;
    return restore_dependency({ForeignServerRelationId, connection->server}, embedder->server);
}

void check_embedder(const std::string &server)
{
    const auto connection = config::load_connection(server, InvalidOid);
    if (!connection || config::kind_of_server(connection->server).empty())
        return;
    const auto *const name = config::find(connection->options, "embedder");
    record_dependency({ForeignServerRelationId, connection->server}, name == nullptr ? InvalidOid : require_embedder(*name));
}

std::string target_of_embedder(const std::string &embedder)
{
    for (const auto &name : config::target_names()) {
        const auto connection = config::load_connection(name, InvalidOid);
        const auto *const named = connection ? config::find(connection->options, "embedder") : nullptr;
        if (named != nullptr && *named == embedder)
            return name;
    }
    return {};
}

} // namespace autosync::declaration
