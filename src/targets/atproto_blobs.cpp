// The option `blob`: which columns are uploaded, and where their references stand in the record.
#include <algorithm>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "atproto/cid.hpp"
#include "config/json.hpp"
#include "targets/atproto_mapping.hpp"

namespace autosync::targets::atproto {
namespace {

using mapping::Kind;
using mapping::Source;
using nlohmann::ordered_json;

constexpr std::size_t usual_size = 5U << 20;   // what the reference server takes
constexpr std::size_t largest_size = 100U << 20;
constexpr std::size_t most_blobs = 8;

[[noreturn]] void refuse(const std::string &why) { throw std::invalid_argument{"option \"blob\" " + why}; }

std::size_t column(const Source &source, const std::string &name)
{
    const auto found = std::ranges::find(source.columns, name, &mapping::Column::name);
    if (found == source.columns.end())
        refuse("names column \"" + name + "\", which is not among those that are sent");
    return static_cast<std::size_t>(found - source.columns.begin());
}

bool is_content_type(std::string_view text)
{
    const auto slash = text.find('/');
    return slash != std::string_view::npos && slash > 0 && slash + 1 < text.size() && text.size() < 100 &&
           text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789/.+-") == std::string_view::npos;
}

std::string text_member(const ordered_json &object, const char *name)
{
    const auto found = object.find(name);
    if (found == object.end())
        return {};
    if (!found->is_string())
        refuse("has a member \"" + std::string{name} + "\" that is no text");
    return found->get<std::string>();
}

void describe(BlobField &made, const Source &source, const ordered_json &object)
{
    for (const auto &[name, ignored] : object.items())
        if (name != "field" && name != "type" && name != "max_size")
            refuse("has no member \"" + name + "\": field, type and max_size are known");
    if (const auto field = text_member(object, "field"); !field.empty())
        made.field = field;
    const auto type = text_member(object, "type");
    const auto named = std::ranges::find(source.columns, type, &mapping::Column::name);
    if (named != source.columns.end())
        made.type_column = static_cast<std::size_t>(named - source.columns.begin());
    else if (!type.empty() && !is_content_type(type))
        refuse("says \"" + type + "\", which is neither a content type, as image/png, nor a column that is sent");
    else
        made.type = type;
    if (const auto size = object.find("max_size"); size != object.end()) {
        if (!size->is_number_unsigned() || size->get<std::uint64_t>() < 1 || size->get<std::uint64_t>() > largest_size)
            refuse("has a max_size that is not between 1 and " + std::to_string(largest_size) + " bytes");
        made.max_size = size->get<std::size_t>();
    }
}

BlobField blob_field(const Source &source, const std::string &name, const ordered_json &described)
{
    BlobField made{column(source, name), name, {}, {}, {}, usual_size};
    if (source.columns[made.column].type.kind != Kind::bytes)
        refuse("names column \"" + name + "\", which is not of type bytea");
    if (described.is_string() && !described.get_ref<const std::string &>().empty())
        made.field = described.get<std::string>();
    else if (described.is_object())
        describe(made, source, described);
    else
        refuse("gives column \"" + name + "\" no name of a field");
    made.place = autosync::atproto::parse_place(made.field);
    return made;
}

std::string type_of(const BlobField &field, const mapping::Change &change, std::string_view bytes)
{
    if (!field.type.empty())
        return field.type;
    const auto *const told = field.type_column ? std::get_if<std::string>(&change.row.at(*field.type_column)) : nullptr;
    if (told == nullptr)
        return std::string{autosync::atproto::content_type_of(bytes)};
    if (!is_content_type(*told))
        throw std::invalid_argument{"field \"" + field.field + "\": \"" + *told + "\" is no content type, as image/png is"};
    return *told;
}

} // namespace

std::vector<BlobField> blob_fields(const Source &source, const std::string &text)
{
    std::vector<BlobField> fields;
    if (text.empty())
        return fields;
    if (!text.starts_with('{')) {
        fields.push_back(blob_field(source, text, text));
        return fields;
    }
    const auto object = config::parse_json(text);
    if (!object || !object->is_object() || object->empty() || object->size() > most_blobs)
        refuse("must be a column, or a JSON object of at most " + std::to_string(most_blobs) + ", column to field");
    for (const auto &[name, described] : object->items()) {
        fields.push_back(blob_field(source, name, described));
        if (std::ranges::count(fields, fields.back().place, &BlobField::place) > 1)
            refuse("gives field \"" + fields.back().field + "\" to two columns");
    }
    return fields;
}

std::vector<Attached> blobs_of(const Compiled &mapping, const mapping::Change &change)
{
    std::vector<Attached> blobs;
    for (const auto &field : mapping.blobs) {
        const auto *const bytes = std::get_if<std::string>(&change.row.at(field.column));
        if (bytes == nullptr)
            continue;
        if (bytes->empty() || bytes->size() > field.max_size)
            throw std::invalid_argument{"field \"" + field.field + "\" " +
                                        (bytes->empty() ? "is an empty blob" : "is a blob of " + std::to_string(bytes->size()) + " bytes, and " +
                                                                                   std::to_string(field.max_size) + " are allowed (max_size)")};
        blobs.push_back({{field.field, type_of(field, change, *bytes), autosync::atproto::raw_cid_of(*bytes), *bytes}, &field.place});
    }
    return blobs;
}

} // namespace autosync::targets::atproto
