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

/// What a server of a kind is named by in a hint.
std::string example_url(const std::string &kind)
{
    return kind == "openai" ? "https://api.openai.com/v1" : kind == "qdrant" ? "http://127.0.0.1:6333" : "http://127.0.0.1:7474";
}

void exclude_each_other(const config::Options &options, const std::string &first, const std::string &second, bool hide_statement)
{
    if (options.contains(first) && options.contains(second))
        throw pg::Failure{
            ERRCODE_INVALID_PARAMETER_VALUE, "options \"" + first + "\" and \"" + second + "\" exclude each other", {}, {}, hide_statement};
}

void check_server(const std::string &kind, const config::Options &options)
{
    for (const auto &[name, value] : options) {
        // A secret or a URL that carries one may have strayed here.
        const bool secret = config::find_option(kind, config::Level::server, name) == nullptr || value.find('@') != std::string::npos;
        check_options(kind, config::Level::server, {{name, value}}, secret);
    }
    if (const auto fail = options.find("fail"); fail != options.end())
        (void) pg::execute("SELECT '' ~ $1", {fail->second}); // raises what PostgreSQL has to say about the pattern
    if (kind != "atproto" && config::find_option(kind, config::Level::server, "url") != nullptr && !options.contains("url"))
        throw pg::Failure{ERRCODE_FDW_OPTION_NAME_NOT_FOUND,
                          "option \"url\" is missing",
                          {},
                          "Name the server, for example OPTIONS (url '" + example_url(kind) + "')."};
    exclude_each_other(options, "embedder", "embed_url", false);
}

void check_mapping(const std::string &kind, const config::Options &options)
{
    check_options(kind, config::Level::user_mapping, options, true);
    for (const auto &[name, value] : options)
        if (!name.ends_with("_file"))
            exclude_each_other(options, name, name + "_file", true);
    for (const auto *const name : {"username", "username_file", "password", "password_file"}) {
        exclude_each_other(options, "bearer_token", name, true);
        exclude_each_other(options, "bearer_token_file", name, true);
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

AUTOSYNC_SQL(autosync_atproto_validator) { return autosync::declaration::validate(fcinfo, "atproto"); }

AUTOSYNC_SQL(autosync_neo4j_validator) { return autosync::declaration::validate(fcinfo, "neo4j"); }

AUTOSYNC_SQL(autosync_openai_validator) { return autosync::declaration::validate(fcinfo, "openai"); }

AUTOSYNC_SQL(autosync_qdrant_validator) { return autosync::declaration::validate(fcinfo, "qdrant"); }

AUTOSYNC_SQL(autosync_test_validator) { return autosync::declaration::validate(fcinfo, "test"); }
