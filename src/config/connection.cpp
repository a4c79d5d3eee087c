#include "config/connection.hpp"

#include "config/secret.hpp"
#include "config/settings.hpp"
#include "pg/bridge.hpp"

namespace autosync::config {

namespace {

constexpr std::string_view wrapper_prefix = "autosync_";

Options from_list(List *list)
{
    Options options;
    for (int i = 0; i < list_length(list); ++i) {
        auto *const element = static_cast<DefElem *>(list_nth(list, i));
        options[element->defname] = pg::call([element] { return defGetString(element); });
    }
    return options;
}

/// The options of the mapping of `user`, else of PUBLIC, else none.
Options mapping_options(Oid server, Oid user)
{
    return from_list(pg::call([=]() -> List * {
        HeapTuple tuple = nullptr;
        if (OidIsValid(user))
            tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(user), ObjectIdGetDatum(server));
        if (!HeapTupleIsValid(tuple))
            tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(server));
        if (!HeapTupleIsValid(tuple))
            return nullptr;
        bool null = false;
        const Datum options = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple, Anum_pg_user_mapping_umoptions, &null);
        List *const list = null ? nullptr : untransformRelOptions(options);
        ReleaseSysCache(tuple);
        return list;
    }));
}

std::string role_name(Oid role)
{
    const char *const name = pg::call([role] { return GetUserNameFromId(role, true); });
    return name == nullptr ? std::to_string(role) : name;
}

} // namespace

const std::string *find(const Options &options, const char *name)
{
    const auto found = options.find(name);
    return found == options.end() ? nullptr : &found->second;
}

std::string text_or(const Options &options, const char *name, const char *fallback)
{
    const auto *const value = find(options, name);
    return value == nullptr ? fallback : *value;
}

std::string bare_url(std::string url)
{
    while (url.ends_with('/'))
        url.pop_back();
    return url;
}

std::string wrapper_kind(Oid server)
{
    const char *const wrapper = pg::call([server]() -> const char * {
        const ForeignServer *const it = GetForeignServerExtended(server, FSV_MISSING_OK);
        if (it == nullptr)
            return nullptr;
        return GetForeignDataWrapper(it->fdwid)->fdwname;
    });
    const std::string_view name = wrapper == nullptr ? "" : wrapper;
    return name.starts_with(wrapper_prefix) ? std::string{name.substr(wrapper_prefix.size())} : std::string{};
}

std::string Connection::secret(const std::string &option)
{
    const auto *const plain = find(mapping, option.c_str());
    const auto *const file = find(mapping, (option + "_file").c_str());
    if (file == nullptr)
        return plain == nullptr ? std::string{} : *plain;
    if (plain != nullptr) {
        if (problem.empty())
            problem = "the user mapping has both \"" + option + "\" and \"" + option + "_file\"";
        return {};
    }
    auto read = read_secret(settings.secrets_directory == nullptr ? "" : settings.secrets_directory, *file, trusted);
    if (problem.empty())
        problem = read.problem;
    return std::move(read.value);
}

http::Access Connection::access() const
{
    http::Access result;
    result.url = bare_url(text_or(options, "url", ""));
    result.sslmode = text_or(options, "sslmode", "verify-full");
    result.sslrootcert = text_or(options, "sslrootcert", "");
    result.sslcert = text_or(options, "sslcert", "");
    result.sslkey = text_or(options, "sslkey", "");
    return result;
}

std::optional<Connection> load_connection(const std::string &name, Oid user)
{
    const char *const text = name.c_str();
    const ForeignServer *const server = pg::call([text] { return GetForeignServerByName(text, true); });
    if (server == nullptr)
        return std::nullopt;
    Connection connection;
    connection.server = server->serverid;
    connection.name = name;
    connection.kind = wrapper_kind(server->serverid);
    if (connection.kind.empty())
        return std::nullopt;
    connection.options = from_list(server->options);
    connection.mapping = mapping_options(server->serverid, user);
    const Oid owner = server->owner;
    connection.trusted = pg::call([owner] { return superuser_arg(owner); });
    const Oid id = server->serverid;
    if (OidIsValid(user) && pg::call([=] { return object_aclcheck(ForeignServerRelationId, id, user, ACL_USAGE) != ACLCHECK_OK; }))
        connection.problem = "role \"" + role_name(user) + "\" lacks the USAGE privilege on foreign server \"" + name + "\"";
    return connection;
}

} // namespace autosync::config
