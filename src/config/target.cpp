#include "config/target.hpp"

#include <algorithm>
#include <charconv>

#include "config/options.hpp"
#include "config/secret.hpp"
#include "config/settings.hpp"
#include "pg/bridge.hpp"
#include "pg/spi.hpp"

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

/// The server's own number, else that of the setting. Values were checked when the server was declared.
template <typename Number> Number number_or(const Options &options, const char *name, Number fallback)
{
    if (const auto *const value = find(options, name))
        (void)std::from_chars(value->data(), value->data() + value->size(), fallback);
    return fallback;
}

std::chrono::milliseconds duration_or(const Options &options, const char *name, int fallback)
{
    const auto *const value = find(options, name);
    return value == nullptr ? std::chrono::milliseconds{fallback} : parse_duration(*value);
}

/// A secret as declared, or from the file that its twin names.
std::string secret(const Options &mapping, const char *name, bool trusted, std::string &problem)
{
    const auto *const plain = find(mapping, name);
    const auto *const file = find(mapping, (std::string{name} + "_file").c_str());
    if (file == nullptr)
        return plain == nullptr ? std::string{} : *plain;
    if (plain != nullptr) {
        problem = "the user mapping has both \"" + std::string{name} + "\" and \"" + name + "_file\"";
        return {};
    }
    auto read = read_secret(settings.secrets_directory == nullptr ? "" : settings.secrets_directory, *file, trusted);
    if (!read.problem.empty())
        problem = read.problem;
    return std::move(read.value);
}

http::Access access(const Options &server, const Options &mapping, bool trusted, std::string &problem)
{
    http::Access result;
    result.url = text_or(server, "url", "");
    while (result.url.ends_with('/'))
        result.url.pop_back();
    result.username = secret(mapping, "username", trusted, problem);
    result.password = secret(mapping, "password", trusted, problem);
    result.bearer_token = secret(mapping, "bearer_token", trusted, problem);
    result.sslmode = text_or(server, "sslmode", "verify-full");
    result.sslrootcert = text_or(server, "sslrootcert", "");
    result.sslcert = text_or(server, "sslcert", "");
    result.sslkey = text_or(server, "sslkey", "");
    if (problem.empty() && !result.bearer_token.empty() && !result.username.empty())
        problem = "the user mapping has both a bearer token and a user name";
    return result;
}

std::string role_name(Oid role)
{
    const char *const name = pg::call([role] { return GetUserNameFromId(role, true); });
    return name == nullptr ? std::to_string(role) : name;
}

} // namespace

std::string kind_of_server(Oid server)
{
    const char *const wrapper = pg::call([server]() -> const char * {
        const ForeignServer *const it = GetForeignServerExtended(server, FSV_MISSING_OK);
        if (it == nullptr)
            return nullptr;
        return GetForeignDataWrapper(it->fdwid)->fdwname;
    });
    const std::string_view name = wrapper == nullptr ? "" : wrapper;
    if (!name.starts_with(wrapper_prefix))
        return {};
    const auto kind = name.substr(wrapper_prefix.size());
    return targets::find(kind) == nullptr ? std::string{} : std::string{kind};
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

std::optional<Target> load_target(const std::string &name, Oid user)
{
    const char *const text = name.c_str();
    const ForeignServer *const server = pg::call([text] { return GetForeignServerByName(text, true); });
    if (server == nullptr)
        return std::nullopt;
    const auto kind = kind_of_server(server->serverid);
    if (kind.empty())
        return std::nullopt;

    Target target;
    target.server = server->serverid;
    target.name = name;
    target.kind = targets::find(kind);
    target.description.name = name;
    target.description.options = from_list(server->options);
    const auto &options = target.description.options;
    const Oid owner = server->owner;
    const bool trusted = pg::call([owner] { return superuser_arg(owner); });
    target.description.access = access(options, mapping_options(server->serverid, user), trusted, target.problem);

    const auto *const enabled = find(options, "enabled");
    target.enabled = enabled == nullptr || parse_boolean(*enabled);
    target.batch_size = number_or(options, "batch_size", static_cast<std::size_t>(settings.batch_size));
    target.max_in_flight = number_or(options, "max_in_flight", static_cast<unsigned>(settings.max_in_flight));
    target.max_attempts = number_or(options, "max_attempts", static_cast<unsigned>(settings.max_attempts));
    target.rate_limit = number_or(options, "rate_limit", 0.0);
    target.backoff.initial = duration_or(options, "retry_initial_delay", settings.retry_initial_delay);
    target.backoff.maximum = std::max(target.backoff.initial, duration_or(options, "retry_max_delay", settings.retry_max_delay));
    target.limits.connect_timeout = std::chrono::milliseconds{settings.connect_timeout};
    target.limits.request_timeout = duration_or(options, "request_timeout", settings.request_timeout);
    target.limits.allowed_hosts = settings.allowed_hosts == nullptr ? "*" : settings.allowed_hosts;

    const Oid id = server->serverid;
    if (target.problem.empty() && OidIsValid(user) && pg::call([=] { return pg_foreign_server_aclcheck(id, user, ACL_USAGE) != ACLCHECK_OK; }))
        target.problem = "role \"" + role_name(user) + "\" lacks the USAGE privilege on foreign server \"" + name + "\"";
    return target;
}

} // namespace autosync::config
