#include "operate/access.hpp"

#include "config/catalog.hpp"
#include "config/embedder.hpp"
#include "config/sync.hpp"
#include "config/target.hpp"
#include "outbox/identity.hpp"

namespace autosync::operate {

namespace {

void require_usage(Oid server, const std::string &name)
{
    if (pg::call([server] { return object_aclcheck(ForeignServerRelationId, server, GetUserId(), ACL_USAGE); }) != ACLCHECK_OK)
        throw pg::Failure{ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied for foreign server " + name};
}

} // namespace

bool owns_table(Oid table)
{
    return pg::call([table] { return object_ownercheck(RelationRelationId, table, GetUserId()); });
}

void require_table(Oid table)
{
    const char *const name = pg::call([table] { return get_rel_name(table); });
    if (name == nullptr)
        throw pg::Failure{ERRCODE_UNDEFINED_TABLE, "relation with OID " + std::to_string(table) + " does not exist"};
    if (!owns_table(table))
        throw pg::Failure{ERRCODE_INSUFFICIENT_PRIVILEGE, "must be owner of table " + std::string{name}};
}

Oid require_target(const std::string &name)
{
    const char *const text = name.c_str();
    const Oid server = pg::call([text] { return get_foreign_server_oid(text, true); });
    if (OidIsValid(server) && config::wrapper_kind(server) == config::embedder_kind)
        throw pg::Failure{ERRCODE_WRONG_OBJECT_TYPE, "\"" + name + "\" is an embedding service, not a target", "It turns texts into vectors, and keeps none.",
                          "Name it in the option \"embedder\" of a server of autosync_qdrant, and sync to that."};
    if (OidIsValid(server) && config::kind_of_server(server).empty())
        throw pg::Failure{ERRCODE_WRONG_OBJECT_TYPE, "server \"" + name + "\" is not a target", {},
                          "Targets are servers of the foreign data wrappers autosync_...: create one with autosync.add_target() or CREATE SERVER."};
    if (!OidIsValid(server))
        throw pg::Failure{ERRCODE_UNDEFINED_OBJECT, "target \"" + name + "\" does not exist", {}, "Create it with autosync.add_target() or CREATE SERVER."};
    return server;
}

Oid require_target_usage(const std::string &name)
{
    const Oid server = require_target(name);
    require_usage(server, name);
    return server;
}

void require_server_usage(const std::string &name)
{
    const auto server = config::load_connection(name, InvalidOid);
    require_usage(server && server->kind == config::embedder_kind ? server->server : require_target(name), name);
}

Oid require_target_owner(const std::string &name)
{
    const Oid server = require_target(name);
    if (!pg::call([server] { return object_ownercheck(ForeignServerRelationId, server, GetUserId()); }))
        throw pg::Failure{ERRCODE_INSUFFICIENT_PRIVILEGE, "must be owner of foreign server " + name};
    return server;
}

std::string require_instance()
{
    const auto identity = outbox::identity();
    if (!identity)
        throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "this database is not adopted", "It may be a copy, so nothing is captured or delivered.",
                          "Run SELECT autosync.adopt_database() if this database is the one that is to deliver."};
    return std::to_string(identity->id);
}

std::string require_adopted()
{
    const auto instance = require_instance();
    if (!outbox::identity()->adopted)
        throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "this database is not adopted", "It is a copy of one that is, so nothing is delivered.",
                          "Run SELECT autosync.adopt_database() if this database is the one that is to deliver."};
    return instance;
}

std::optional<std::string> optional_name(FunctionCallInfo fcinfo, int index)
{
    if (fcinfo->args[index].isnull)
        return std::nullopt;
    return pg::name_argument(fcinfo, index);
}

std::optional<std::string> optional_text(FunctionCallInfo fcinfo, int index)
{
    if (fcinfo->args[index].isnull)
        return std::nullopt;
    return pg::text_argument(fcinfo, index);
}

std::optional<Oid> optional_oid(FunctionCallInfo fcinfo, int index)
{
    if (fcinfo->args[index].isnull)
        return std::nullopt;
    return DatumGetObjectId(fcinfo->args[index].value);
}

void require_arguments(FunctionCallInfo fcinfo, const std::vector<const char *> &names)
{
    for (std::size_t i = 0; i < names.size(); ++i)
        if (fcinfo->args[i].isnull)
            throw pg::Failure{ERRCODE_NULL_VALUE_NOT_ALLOWED, std::string{names[i]} + " must not be null"};
}

std::string source_name(Oid table)
{
    struct Names {
        const char *schema;
        const char *name;
    };
    const auto names = pg::call([table] {
        const char *const name = get_rel_name(table);
        return Names{name == nullptr ? nullptr : get_namespace_name(get_rel_namespace(table)), name};
    });
    if (names.name == nullptr)
        return std::to_string(table);
    return config::source_name(names.schema == nullptr ? "" : names.schema, names.name);
}

std::vector<std::string> targets_of_source(Oid table, const std::optional<std::string> &target)
{
    std::vector<std::string> found;
    for (const auto &sync : config::load_syncs())
        if (sync.table == table && (!target || sync.target == *target))
            found.push_back(sync.target);
    if (found.empty())
        throw pg::Failure{ERRCODE_UNDEFINED_OBJECT,
                          "table " + source_name(table) + " is not synced" + (target ? " to target \"" + *target + "\"" : std::string{}), {},
                          "Declare the sync with autosync.add_sync()."};
    return found;
}

} // namespace autosync::operate
