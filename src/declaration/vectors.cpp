#include "declaration/vectors.hpp"

#include <algorithm>
#include <array>

#include "config/catalog.hpp"
#include "config/json.hpp"
#include "config/keys.hpp"
#include "config/options.hpp"
#include "config/target.hpp"
#include "config/words.hpp"
#include "declaration/check.hpp"
#include "pg/spi.hpp"

namespace autosync::declaration {

namespace {

using config::Attribute;
using config::Options;

constexpr std::string_view schemas = "keyword,integer,float,bool,datetime,uuid,text,geo";

[[noreturn]] void refuse(const std::string &message, const std::string &detail, const std::string &hint)
{
    throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, message, detail, hint};
}

std::string value_or(const Options &options, const char *name, const std::string &fallback)
{
    const auto found = options.find(name);
    return found == options.end() ? fallback : found->second;
}

config::Vectors vectors_of(const Options &options, const char *name)
{
    const auto found = options.find(name);
    return found == options.end() ? config::Vectors{} : config::parse_vectors(found->second);
}

bool embeds(const Options &options) { return options.contains("embed") || options.contains("embed_expression"); }

/// Each vector is made in one way; and a point has one without a name, or named ones.
void check_names(const Options &options)
{
    constexpr const char *one_way = "Give its columns to embed, embed_expression or vector.";
    if (!config::gives_vectors(options))
        refuse("the sync says nothing of vectors", {},
               "Name the columns whose text is embedded with the option \"embed\", or the one that holds a vector with \"vector\".");
    if (options.contains("embed") && options.contains("embed_expression"))
        refuse("options \"embed\" and \"embed_expression\" exclude each other", {}, "An expression may join columns: name || ' ' || description");
    auto names = vectors_of(options, "embed");
    if (options.contains("embed_expression"))
        names[""] = {};
    for (const auto &[name, columns] : vectors_of(options, "vector"))
        if (!names.emplace(name, columns).second)
            refuse(name.empty() ? "the vector is made in two ways" : "vector \"" + name + "\" is made in two ways", {}, one_way);
    if (names.size() > 1 && names.contains(""))
        refuse("a vector without a name and named ones cannot be combined", {},
               "Give each vector a name: {\"" + std::next(names.begin())->first + "\": …, \"text\": …}.");
}

bool holds_vector(const Attribute &attribute)
{
    using enum mapping::Kind;
    if (attribute.mapped.kind == list)
        return attribute.mapped.element == real || attribute.mapped.element == integer || attribute.mapped.element == decimal;
    if (attribute.type == TEXTOID || attribute.type == VARCHAROID || attribute.type == BPCHAROID)
        return true;
    const Oid type = attribute.type;
    const std::string_view name = pg::call([type] { return format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN); });
    const auto bare = name.substr(name.rfind('.') + 1);
    return attribute.mapped.kind == text && (bare == "vector" || bare == "halfvec");
}

void check_types(const config::Table &table, const Options &options)
{
    for (const auto &[name, columns] : vectors_of(options, "vector"))
        for (const auto *const attribute : config::named_columns(table, "vector", columns))
            if (!holds_vector(*attribute)) {
                const Oid type = attribute->type;
                throw pg::Failure{ERRCODE_DATATYPE_MISMATCH, "column \"" + attribute->name + "\" of option \"vector\" holds no vector",
                                  "Its type is " + std::string{pg::call([type] { return format_type_be(type); })} + ".",
                                  "A vector is an array of numbers, such as real[], a vector of pgvector, or text like '[0.1, 0.2]'."};
            }
}

void check_payload(const config::Table &table, const config::Sync &sync)
{
    const auto &options = sync.options;
    for (const auto *const other : {"columns", "exclude"})
        if (options.contains("payload") && options.contains(other))
            refuse("options \"payload\" and \"" + std::string{other} + "\" exclude each other", {}, "Name the payload's columns with \"payload\".");
    const auto indexes = config::parse_json(value_or(options, "payload_indexes", "{}")).value_or(config::Json::object());
    const auto payload = options.contains("payload") ? config::parse_columns(options.at("payload")) : std::vector<std::string>{};
    for (const auto &[column, schema] : indexes.items()) {
        (void)config::named_columns(table, "payload_indexes", std::vector<std::string>{column});
        if (!schema.is_string() || !config::lists(schemas, schema.get<std::string>()))
            refuse("invalid index for column \"" + column + "\" in option \"payload_indexes\": " + schema.dump(), {},
                   "Valid values are: " + config::spaced(schemas) + ".");
        const bool sent = std::ranges::find(sync.source.columns, column, &mapping::Column::name) != sync.source.columns.end();
        if (!sent || (!payload.empty() && std::ranges::find(payload, column) == payload.end()))
            refuse("column \"" + column + "\" of option \"payload_indexes\" is not in the payload", {}, "Add it to the option \"payload\".");
    }
}

void check_id(const config::Sync &sync)
{
    if (value_or(sync.options, "id", "auto") == "key" && (sync.key.size() != 1 || sync.key.front().type != UUIDOID))
        refuse("the key of table \"" + sync.source.name + "\" cannot be the id of points",
               "Option \"id\" is \"key\", which takes one column of type uuid.",
               "Leave the option away, or set it to uuid: then a UUID is made of the key.");
}

/// What embedding needs: somebody who does it, and a model.
void check_model(const config::Sync &sync)
{
    const auto &options = sync.options;
    if (!embeds(options)) {
        for (const auto *const option : {"model", "overflow", "max_tokens_per_day"})
            if (options.contains(option))
                refuse("option \"" + std::string{option} + "\" is for texts that are embedded, and this sync has none", {},
                       "Name columns with \"embed\", or leave the option away.");
        return;
    }
    const auto target = config::load_target(sync.target, sync.owner);
    if (target && !target->description.embedder && !target->problem.empty())
        throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, target->problem};
    if (!target || !target->description.embedder)
        throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "target \"" + sync.target + "\" has no embedder",
                          "Its option \"embed_url\" or \"embedder\" says who turns texts into vectors.",
                          "ALTER SERVER " + pg::quote(sync.target) +
                              " OPTIONS (ADD embed_url 'https://api.openai.com/v1'), or give vectors with the option \"vector\"."};
    if (target->description.embedder->model.empty() && !options.contains("model"))
        throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "no model is named for target \"" + sync.target + "\"", {},
                          "Set the option \"model\" of the sync, of the target or of its embedder, for example to text-embedding-3-small."};
}

/// Points of two tables in one collection must not have the same ids.
void check_collection(config::Catalog &catalog, const config::Sync &sync)
{
    const auto collection = value_or(sync.options, "collection", sync.name);
    const auto id = [](const Options &options) { return value_or(options, "id", "auto"); };
    for (const auto &trigger : catalog.triggers()) {
        if (trigger.table == sync.table || trigger.declaration.target != sync.target || !TRIGGER_FOR_ROW(trigger.type))
            continue;
        const auto *const other = catalog.table(trigger.table);
        if (other == nullptr || value_or(trigger.declaration.options, "collection", other->name) != collection)
            continue;
        if (id(sync.options) != "uuid" || id(trigger.declaration.options) != "uuid")
            refuse("collection \"" + collection + "\" holds table " + config::shown(*other) + " already",
                   "Rows of two tables may have the same key, and would have the same id there.",
                   "Name another one with the option \"collection\", or set \"id\" to uuid for both.");
    }
}

} // namespace

void check_vectors(const config::Sync &sync)
{
    config::Catalog catalog;
    const auto &table = *catalog.table(sync.table);
    check_names(sync.options);
    check_types(table, sync.options);
    check_payload(table, sync);
    check_id(sync);
    if (const auto expression = sync.options.find("embed_expression"); expression != sync.options.end())
        check_text(sync, expression->second);
    check_model(sync);
    check_collection(catalog, sync);
}

} // namespace autosync::declaration
