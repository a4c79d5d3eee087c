#include "targets/atproto_mapping.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "atproto/syntax.hpp"
#include "config/json.hpp"
#include "config/options.hpp"
#include "config/words.hpp"
#include "targets/atproto_value.hpp"

namespace autosync::targets::atproto {
namespace {

using mapping::Kind;
using mapping::Source;
using nlohmann::json;

std::string option(const Source &source, const char *name)
{
    const auto found = source.options.find(name);
    return found == source.options.end() ? std::string{} : found->second;
}

std::optional<std::size_t> column(const Source &source, const std::string &name)
{
    const auto found = std::ranges::find(source.columns, name, &mapping::Column::name);
    return found == source.columns.end() ? std::nullopt : std::optional{static_cast<std::size_t>(found - source.columns.begin())};
}

std::optional<std::size_t> computed(const Source &source, const char *name)
{
    const auto found = std::ranges::find(source.computed, name, &mapping::Column::name);
    return found == source.computed.end() ? std::nullopt
                                          : std::optional{source.columns.size() + static_cast<std::size_t>(found - source.computed.begin())};
}

/// The option `record`: column -> field.
std::vector<Field> named_fields(const Source &source, const std::string &text)
{
    const auto object = config::parse_json(text);
    if (!object || !object->is_object() || object->empty())
        throw std::invalid_argument{"option \"record\" must be a JSON object, column to field"};
    std::vector<Field> fields;
    std::set<std::string> names;
    for (const auto &[name, field] : object->items()) {
        const auto place = column(source, name);
        if (!place)
            throw std::invalid_argument{"option \"record\" names column \"" + name + "\", which is not among those that are sent"};
        if (!field.is_string() || field.get_ref<const std::string &>().empty() || field.get_ref<const std::string &>().starts_with('$'))
            throw std::invalid_argument{"option \"record\" gives column \"" + name + "\" no name of a field"};
        if (!names.insert(field.get<std::string>()).second)
            throw std::invalid_argument{"option \"record\" gives field \"" + field.get<std::string>() + "\" to two columns"};
        fields.push_back({*place, field.get<std::string>()});
    }
    return fields;
}

/// All columns that are sent, but those that say where the record is, and what is sent otherwise.
std::vector<Field> all_fields(const Source &source, const std::vector<BlobField> &blobs, const std::vector<Reference> &references)
{
    std::set<std::string> others{option(source, "did"), option(source, "uri_column"), option(source, "cid_column"), "did"};
    for (const auto &reference : references)
        others.insert(source.links[reference.link].columns.begin(), source.links[reference.link].columns.end());
    for (const auto &blob : blobs) {
        others.insert(source.columns[blob.column].name);
        if (blob.type_column)
            others.insert(source.columns[*blob.type_column].name);
    }
    std::vector<Field> fields;
    for (std::size_t i = 0; i < source.columns.size(); ++i)
        if (!others.contains(source.columns[i].name))
            fields.push_back({i, source.columns[i].name});
    return fields;
}

void choose_key(Compiled &mapping, const Source &source, const std::string &text)
{
    if (text.empty() || text == "tid")
        mapping.key_from = KeyFrom::time;
    else if (text == "key")
        mapping.key_from = KeyFrom::key;
    else if (text == "self")
        mapping.key_from = KeyFrom::self;
    else if (const auto place = column(source, text)) {
        mapping.key_from = KeyFrom::column;
        mapping.key_column = *place;
    } else {
        throw std::invalid_argument{"option \"rkey\" must be tid, key, self or a column that is sent, not \"" + text + "\""};
    }
}

/// The options `reply` and `subject`: columns of a foreign key.
std::vector<Reference> references_of(const Source &source)
{
    std::vector<Reference> references;
    for (const auto *const field : {"reply", "subject"}) {
        const auto text = option(source, field);
        if (text.empty())
            continue;
        auto columns = config::parse_columns(text);
        std::ranges::sort(columns);
        const auto found = std::ranges::find_if(source.links, [&](const mapping::Link &link) {
            auto own = link.columns;
            std::ranges::sort(own);
            return own == columns;
        });
        if (found == source.links.end())
            throw std::invalid_argument{"option \"" + std::string{field} + "\" must name the columns of a foreign key, not \"" + text + "\""};
        references.push_back({field, static_cast<std::size_t>(found - source.links.begin()), field == std::string_view{"reply"}});
    }
    return references;
}

/// A value as text, where it is text, a number or a UUID.
std::string text_of(const mapping::Value &value)
{
    if (const auto *const number = std::get_if<std::int64_t>(&value))
        return std::to_string(*number);
    const auto *const text = std::get_if<std::string>(&value);
    return text == nullptr ? std::string{} : *text;
}

} // namespace

std::unique_ptr<const Compiled> compile_source(const Source &source)
{
    auto made = std::make_unique<Compiled>();
    made->collection = option(source, "collection");
    if (made->collection.empty())
        throw std::invalid_argument{"option \"collection\" is missing: the NSID of the records, as app.bsky.feed.post"};
    if (!autosync::atproto::is_nsid(made->collection))
        throw std::invalid_argument{"option \"collection\" is no NSID, as app.bsky.feed.post is"};
    if (!option(source, "transform").empty() && !option(source, "record").empty())
        throw std::invalid_argument{"options \"transform\" and \"record\" exclude each other"};
    made->did = computed(source, "did_expression");
    if (!made->did)
        made->did = column(source, option(source, "did").empty() ? "did" : option(source, "did"));
    if (!made->did)
        throw std::invalid_argument{"nothing says whose records the rows are: name a column in option \"did\", or an expression in \"did_expression\""};
    made->transform = computed(source, "transform");
    made->blobs = blob_fields(source, option(source, "blob"));
    made->references = references_of(source);
    made->yields = config::lower(option(source, "conflict")) == "target_wins";
    if (!made->transform)
        made->fields = option(source, "record").empty() ? all_fields(source, made->blobs, made->references) : named_fields(source, option(source, "record"));
    const bool given = std::ranges::any_of(made->fields, [](const Field &field) { return field.name == "createdAt"; });
    if (const auto place = column(source, "created_at"); place && !given) {
        const auto kind = source.columns[*place].type.kind;
        if (kind == Kind::timestamptz || kind == Kind::timestamp)
            made->created_at = place;
    }
    choose_key(*made, source, option(source, "rkey"));
    return made;
}

std::string did_of(const Compiled &mapping, const mapping::Change &change)
{
    auto did = text_of(change.row.at(*mapping.did));
    if (!did.empty() && !autosync::atproto::is_did(did))
        throw std::invalid_argument{"\"" + did + "\" is no DID"};
    return did;
}

bool has_record(const Compiled &mapping, const mapping::Change &change)
{
    return !mapping.transform || !std::holds_alternative<std::monostate>(change.row.at(*mapping.transform));
}

std::string rkey_of(const Compiled &mapping, const mapping::Change &change)
{
    std::string rkey;
    switch (mapping.key_from) {
    case KeyFrom::time:
        return {};
    case KeyFrom::self:
        return "self";
    case KeyFrom::key:
        rkey = change.key;
        break;
    case KeyFrom::column:
        rkey = text_of(change.row.at(mapping.key_column));
        break;
    }
    if (!autosync::atproto::is_rkey(rkey))
        throw std::invalid_argument{"\"" + rkey + "\" is no record key: 1 to 512 of A-Z a-z 0-9 . _ : ~ - are"};
    return rkey;
}

namespace {

json values_of(const Compiled &mapping, const Source &source, const mapping::Change &change)
{
    if (mapping.transform) {
        const auto *const text = std::get_if<std::string>(&change.row.at(*mapping.transform));
        return autosync::atproto::parse_record(text == nullptr ? "" : *text);
    }
    auto object = json::object();
    for (const auto &field : mapping.fields) {
        try {
            auto value = value_of(change.row.at(field.column), source.columns[field.column].type);
            if (!value.is_null()) // an optional field is absent
                object[field.name] = std::move(value);
        } catch (const std::invalid_argument &error) {
            throw std::invalid_argument{"column \"" + source.columns[field.column].name + "\": " + error.what()};
        }
    }
    return object;
}

} // namespace

Record record_of(const Compiled &mapping, const Source &source, const mapping::Change &change, const Surroundings &around)
{
    std::string created_at = around.assigned_at;
    if (mapping.created_at && !mapping.transform) {
        const auto value = value_of(change.row.at(*mapping.created_at), source.columns[*mapping.created_at].type);
        if (value.is_string())
            created_at = value.get<std::string>();
    }
    auto record = values_of(mapping, source, change);
    for (const auto &[blob, place] : around.blobs)
        if (record.is_object())
            autosync::atproto::place_blob(record, *place, blob);
    for (const auto &[field, value] : around.references)
        if (record.is_object() && !record.contains(field)) // what the row's own function says goes before
            record[field] = json::parse(value);
    return autosync::atproto::finish_record(std::move(record), mapping.collection, created_at);
}

} // namespace autosync::targets::atproto
