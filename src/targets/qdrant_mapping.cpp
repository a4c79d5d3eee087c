#include "targets/qdrant_mapping.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <stdexcept>

#include "config/json.hpp"
#include "config/options.hpp"
#include "mapping/json.hpp"
#include "mapping/object.hpp"

namespace autosync::targets::qdrant {
namespace {

using mapping::Column;
using mapping::Kind;
using mapping::Options;
using mapping::Source;
namespace json = mapping::json;

constexpr std::array<std::string_view, 5> reserved{"_hash", "_key", "_model", "_source", "_v"};
constexpr std::array<std::string_view, 8> schemas{"bool", "datetime", "float", "geo", "integer", "keyword", "text", "uuid"};
constexpr std::string_view expression = "embed_expression";
constexpr std::size_t longest_collection = 200; // of 255 bytes: what a rebuild appends has to fit

[[noreturn]] void refuse(const std::string &message) { throw std::invalid_argument(message); }

std::string in_quotes(std::string_view text) { return '"' + std::string(text) + '"'; }

std::string_view option(const Options &options, std::string_view name)
{
    const auto found = options.find(std::string(name));
    return found == options.end() ? std::string_view{} : std::string_view{found->second};
}

std::string json_string(std::string_view text)
{
    std::string out;
    json::append_string(out, text);
    return out;
}

std::vector<std::string> columns_of(std::string_view text, std::string_view name)
{
    try {
        return config::parse_columns(text);
    } catch (const std::invalid_argument &) {
        refuse("option " + in_quotes(name) + " is not a list of columns");
    }
}

using Named = std::vector<std::pair<std::string, std::vector<std::string>>>; ///< vector and its columns; one with an empty name, or none

Named named_columns(const Options &options, std::string_view name)
{
    const auto text = option(options, name);
    if (text.empty())
        return {};
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos || text[text.find_first_not_of(" \t\r\n")] != '{')
        return {{"", columns_of(text, name)}};
    const auto parsed = config::parse_json(text);
    if (!parsed || !parsed->is_object() || parsed->empty())
        refuse("option " + in_quotes(name) + " is neither a list of columns nor a JSON object of vector names and columns");
    Named named;
    for (const auto &[vector, columns] : parsed->items()) {
        if (vector.empty() || !(columns.is_string() || columns.is_array()))
            refuse("option " + in_quotes(name) + " needs a name and columns for each vector");
        named.emplace_back(vector, columns_of(columns.is_string() ? columns.get<std::string>() : columns.dump(), name));
    }
    return named;
}

std::optional<std::vector<std::string>> payload_columns(const Options &options)
{
    const auto text = option(options, "payload");
    if (text.empty())
        return std::nullopt;
    if (const auto parsed = config::parse_json(text); parsed && parsed->is_array() && parsed->empty())
        return std::vector<std::string>{};
    return columns_of(text, "payload");
}

std::size_t place_of(const Source &source, const std::string &column, std::string_view name)
{
    const auto found = std::ranges::find(source.columns, column, &Column::name);
    if (found == source.columns.end())
        refuse("option " + in_quotes(name) + " names the column " + in_quotes(column) + ", which " + in_quotes(source.name) + " does not have");
    return static_cast<std::size_t>(found - source.columns.begin());
}

bool can_hold_vector(const mapping::Type &type)
{
    if (type.kind == Kind::list)
        return type.element == Kind::real || type.element == Kind::integer || type.element == Kind::decimal;
    return type.kind == Kind::text;
}

VectorSpec spec_of(std::string name, bool given)
{
    VectorSpec spec;
    spec.json_name = json_string(name);
    spec.name = std::move(name);
    spec.given = given;
    return spec;
}

std::vector<VectorSpec> read_vectors(const Source &source)
{
    std::vector<VectorSpec> vectors;
    for (const auto &[name, columns] : named_columns(source.options, "embed")) {
        auto spec = spec_of(name, false);
        for (const auto &column : columns) {
            spec.columns.push_back(place_of(source, column, "embed"));
            if (source.columns[spec.columns.back()].type.kind == Kind::bytes)
                refuse("option \"embed\" names the column " + in_quotes(column) + ", whose type bytea has no text to embed");
        }
        vectors.push_back(std::move(spec));
    }
    if (!option(source.options, expression).empty()) {
        if (!vectors.empty())
            refuse("options \"embed\" and \"embed_expression\" exclude each other");
        const auto found = std::ranges::find(source.computed, expression, &Column::name);
        if (found == source.computed.end())
            refuse("option \"embed_expression\" has not been computed");
        vectors.push_back(spec_of("", false));
        vectors.back().columns = {source.columns.size() + static_cast<std::size_t>(found - source.computed.begin())};
    }
    for (const auto &[name, columns] : named_columns(source.options, "vector")) {
        auto spec = spec_of(name, true);
        if (columns.size() != 1)
            refuse("option \"vector\" names several columns for one vector");
        spec.columns = {place_of(source, columns.front(), "vector")};
        if (!can_hold_vector(source.columns[spec.columns.front()].type))
            refuse("option \"vector\" names the column " + in_quotes(columns.front()) +
                   ", which is neither an array of numbers nor of pgvector's type");
        if (std::ranges::find(vectors, name, &VectorSpec::name) != vectors.end())
            refuse(name.empty() ? "options \"embed\" and \"vector\" exclude each other unless both name their vectors"
                                : "vector " + in_quotes(name) + " is both embedded and taken from a column");
        vectors.push_back(std::move(spec));
    }
    if (vectors.empty())
        refuse("a sync to Qdrant needs one of the options \"embed\", \"embed_expression\" and \"vector\"");
    const auto unnamed = std::ranges::count(vectors, "", &VectorSpec::name);
    if (unnamed > 0 && vectors.size() > 1)
        refuse("a point has either one unnamed vector or named ones: give a JSON object of vector names to both options");
    return vectors;
}

std::vector<PayloadField> read_payload(const Source &source, const std::vector<VectorSpec> &vectors)
{
    std::vector<PayloadField> fields;
    const auto add = [&](std::size_t place) {
        const auto &name = source.columns[place].name;
        if (std::ranges::find(reserved, name) != reserved.end())
            refuse("column " + in_quotes(name) + " has a name that points need for themselves: leave it out by option \"exclude\" or \"payload\"");
        fields.push_back({json_string(name) + ':', place});
    };
    if (const auto named = payload_columns(source.options)) {
        for (const auto &column : *named)
            add(place_of(source, column, "payload"));
        return fields;
    }
    const auto columns = option(source.options, "columns");
    const auto exclude = option(source.options, "exclude");
    const auto kept = columns.empty() ? std::vector<std::string>{} : columns_of(columns, "columns");
    const auto left_out = exclude.empty() ? std::vector<std::string>{} : columns_of(exclude, "exclude");
    for (std::size_t place = 0; place < source.columns.size(); ++place) {
        const auto &name = source.columns[place].name;
        const bool is_vector = std::ranges::any_of(vectors, [&](const VectorSpec &spec) { return spec.given && spec.columns.front() == place; });
        const bool sent = (kept.empty() || std::ranges::find(kept, name) != kept.end()) && std::ranges::find(left_out, name) == left_out.end();
        if (sent && !is_vector)
            add(place);
    }
    return fields;
}

std::vector<std::pair<std::string, std::string>> read_indexes(const Source &source, const std::vector<PayloadField> &payload)
{
    std::vector<std::pair<std::string, std::string>> indexes;
    const auto text = option(source.options, "payload_indexes");
    if (text.empty())
        return indexes;
    const auto parsed = config::parse_json(text);
    if (!parsed || !parsed->is_object())
        refuse("option \"payload_indexes\" is not a JSON object of columns and schemas");
    for (const auto &[column, schema] : parsed->items()) {
        const auto place = place_of(source, column, "payload_indexes");
        if (std::ranges::find(payload, place, &PayloadField::column) == payload.end())
            refuse("option \"payload_indexes\" names the column " + in_quotes(column) + ", which is not in the payload");
        if (!schema.is_string() || std::ranges::find(schemas, schema.get_ref<const std::string &>()) == schemas.end())
            refuse("option \"payload_indexes\" has an unknown schema for " + in_quotes(column) +
                   ": valid ones are bool, datetime, float, geo, integer, keyword, text, uuid");
        indexes.emplace_back(column, schema.get<std::string>());
    }
    return indexes;
}

unsigned whole_number(std::string_view text)
{
    unsigned value = 0;
    (void)std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

void read_id(const Source &source, Compiled &compiled)
{
    const auto key = source.key.size() == 1 ? std::ranges::find(source.columns, source.key.front(), &Column::name) : source.columns.end();
    compiled.integer_key = key != source.columns.end() && key->type.kind == Kind::integer;
    const auto rule = option(source.options, "id");
    if (rule == "uuid")
        compiled.id = IdRule::uuid;
    else if (rule == "key")
        compiled.id = IdRule::key;
    else if (!rule.empty() && rule != "auto")
        refuse("option \"id\" is one of auto, uuid, key");
    if (compiled.id == IdRule::key && (key == source.columns.end() || key->type.kind != Kind::text))
        refuse("option \"id\" can be \"key\" only for a key of one column of type uuid");
}

} // namespace

bool Compiled::embeds() const
{
    return std::ranges::any_of(vectors, [](const VectorSpec &spec) { return !spec.given; });
}

std::string collection_of(const Options &options, std::string_view table)
{
    const auto declared = option(options, "collection");
    auto name = std::string(declared.empty() ? table : declared);
    if (name.empty() || name.size() > longest_collection || name == "." || name == ".." ||
        std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20; }) ||
        name.find_first_of("<>:\"/\\|?*\x7f") != std::string::npos)
        refuse("Qdrant takes no collection of the name " + in_quotes(name) + ": declare another by option \"collection\"");
    return name;
}

std::unique_ptr<const Compiled> compile_source(const Source &source)
{
    auto compiled = std::make_unique<Compiled>();
    compiled->source = source.name;
    compiled->collection = collection_of(source.options, source.table);
    compiled->rebuild = option(source.options, rebuild_option);
    if (source.columns.empty())
        return compiled;
    for (const auto *columns : {&source.columns, &source.computed})
        for (const auto &column : *columns)
            compiled->types.push_back(column.type);
    compiled->vectors = read_vectors(source);
    compiled->transform = mapping::transform_place(source);
    if (compiled->transform && source.options.contains("payload"))
        refuse("options \"transform\" and \"payload\" exclude each other");
    if (!compiled->transform)
        compiled->payload = read_payload(source, compiled->vectors);
    compiled->indexes = read_indexes(source, compiled->payload);
    read_id(source, *compiled);
    compiled->model = option(source.options, "model");
    compiled->dimensions = whole_number(option(source.options, "dimensions"));
    compiled->truncate = option(source.options, "overflow") == "truncate";
    if (!compiled->embeds() && !compiled->model.empty())
        refuse("option \"model\" means nothing to a sync that embeds nothing");
    return compiled;
}

const Compiled &compiled(const Mapping &mapping) { return static_cast<const Compiled &>(mapping); }

} // namespace autosync::targets::qdrant
