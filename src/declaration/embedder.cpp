#include "declaration/embedder.hpp"

#include "config/connection.hpp"
#include "config/embedder.hpp"
#include "config/target.hpp"
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

/// Replaces what was recorded before; InvalidOid: nothing any more.
void record_embedder(Oid server, Oid embedder)
{
    pg::call([=] {
        deleteDependencyRecordsForClass(ForeignServerRelationId, server, ForeignServerRelationId, DEPENDENCY_NORMAL);
        if (!OidIsValid(embedder))
            return;
        const ObjectAddress dependent{ForeignServerRelationId, server, 0};
        const ObjectAddress referenced{ForeignServerRelationId, embedder, 0};
        recordDependencyOn(&dependent, &referenced, DEPENDENCY_NORMAL);
    });
}

} // namespace

bool restore_embedder(const std::string &server)
{
    const auto connection = config::load_connection(server, InvalidOid);
    const auto *const name = connection ? config::find(connection->options, "embedder") : nullptr;
    const auto embedder = name == nullptr ? std::nullopt : config::load_connection(*name, InvalidOid);
    if (!embedder || embedder->kind != config::embedder_kind)
        return true;
    const Oid dependent = connection->server;
    const Oid referenced = embedder->server;
    if (pg::execute_one("SELECT 1 FROM pg_depend WHERE classid = 'pg_foreign_server'::regclass AND objid = $1::oid"
                        " AND refclassid = 'pg_foreign_server'::regclass AND refobjid = $2::oid AND deptype = 'n'",
                        {std::to_string(dependent), std::to_string(referenced)}))
        return true;
    const bool locked = pg::call([=] {
        return ConditionalLockDatabaseObject(ForeignServerRelationId, dependent, 0, AccessShareLock) &&
               ConditionalLockDatabaseObject(ForeignServerRelationId, referenced, 0, AccessShareLock);
    });
    if (!locked)
        return false;
    // A dependency of what was dropped a moment ago would be in the way of every other DROP.
    if (pg::execute_one("SELECT count(*) FROM pg_foreign_server WHERE oid IN ($1::oid, $2::oid)", {std::to_string(dependent), std::to_string(referenced)}) == "2")
        record_embedder(dependent, referenced);
    return true;
}

void check_embedder(const std::string &server)
{
    const auto connection = config::load_connection(server, InvalidOid);
    if (!connection || config::kind_of_server(connection->server).empty())
        return;
    const auto *const name = config::find(connection->options, "embedder");
    record_embedder(connection->server, name == nullptr ? InvalidOid : require_embedder(*name));
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
