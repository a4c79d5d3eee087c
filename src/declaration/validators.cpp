// The validators of the foreign data wrappers: options of servers and user mappings are checked when they are declared.
// They look at names and values only, at no file and no network: what is restored from a dump must not depend on either.

#include <string>

#include "config/options.hpp"
#include "declaration/check.hpp"
#include "pg/spi.hpp"

namespace autosync::declaration {

namespace {

config::Options options_argument(FunctionCallInfo fcinfo)
{
    const Datum array = fcinfo->args[0].value;
    List *const list = fcinfo->args[0].isnull ? nullptr : pg::call([array] { return untransformRelOptions(array); });
    config::Options options;
    for (int i = 0; i < list_length(list); ++i) {
        auto *const element = static_cast<DefElem *>(list_nth(list, i));
        options[element->defname] = pg::call([element] { return defGetString(element); });
    }
    return options;
}

void check_server(const std::string &kind, const config::Options &options)
{
    for (const auto &[name, value] : options) {
        // A secret or a URL that carries one may have strayed here.
        const bool secret = config::is_secret(name) || value.find('@') != std::string::npos;
        check_options(kind, config::Level::server, {{name, value}}, secret);
    }
    if (const auto fail = options.find("fail"); fail != options.end())
        (void) pg::execute("SELECT '' ~ $1", {fail->second}); // raises what PostgreSQL has to say about the pattern
    if (config::find_option(kind, config::Level::server, "url") != nullptr && !options.contains("url"))
        throw pg::Failure{ERRCODE_FDW_OPTION_NAME_NOT_FOUND,
                          "option \"url\" is missing",
                          {},
                          "Name the server, for example OPTIONS (url 'http://127.0.0.1:7474')."};
}

void check_mapping(const std::string &kind, const config::Options &options)
{
    check_options(kind, config::Level::user_mapping, options, true);
    const auto both = [&](const std::string &first, const std::string &second) {
        if (options.contains(first) && options.contains(second))
            throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "options \"" + first + "\" and \"" + second + "\" exclude each other", {}, {}, true};
    };
    for (const auto &[name, value] : options)
        if (!name.ends_with("_file"))
            both(name, name + "_file");
    for (const auto *const name : {"username", "username_file", "password", "password_file"}) {
        both("bearer_token", name);
        both("bearer_token_file", name);
    }
}

Datum validate(FunctionCallInfo fcinfo, const std::string &kind)
{
    const auto options = options_argument(fcinfo);
    const Oid catalog = DatumGetObjectId(fcinfo->args[1].value);
    if (catalog == ForeignServerRelationId)
        check_server(kind, options);
    else if (catalog == UserMappingRelationId)
        check_mapping(kind, options);
    else if (!options.empty())
        throw pg::Failure{
            ERRCODE_FDW_INVALID_OPTION_NAME, "invalid option \"" + options.begin()->first + "\"", {}, "There are no valid options in this context."};
    return Datum{0};
}

} // namespace

} // namespace autosync::declaration

AUTOSYNC_SQL(autosync_neo4j_validator) { return autosync::declaration::validate(fcinfo, "neo4j"); }

AUTOSYNC_SQL(autosync_test_validator) { return autosync::declaration::validate(fcinfo, "test"); }
