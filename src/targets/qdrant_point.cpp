#include "targets/qdrant_point.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>

#include "embed/hash.hpp"
#include "embed/vector.hpp"
#include "mapping/document.hpp"
#include "mapping/json.hpp"
#include "mapping/object.hpp"

namespace autosync::targets::qdrant {
namespace {

using mapping::Kind;
using mapping::Type;
using mapping::Value;
namespace json = mapping::json;

constexpr std::size_t largest_payload = 24U << 20U; ///< of the 32 MB that Qdrant takes in one request

/// What a user would read: the form that a cast to text gives.
void append_text(std::string &out, const Value &value, const Type &type)
{
    if (const auto *text = std::get_if<std::string>(&value)) {
        out += *text;
    } else if (const auto *real = std::get_if<double>(&value)) {
        std::array<char, 32> buffer{};
        out.append(buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), *real).ptr);
    } else {
        mapping::append_plain(out, value, type);
    }
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos; }

/// Joined by newlines, without what is NULL or blank.
std::string text_of(const Compiled &mapping, const VectorSpec &spec, const mapping::Row &row)
{
    std::string text;
    std::string part;
    for (const auto place : spec.columns) {
        if (place >= row.size() || std::holds_alternative<std::monostate>(row[place]))
            continue;
        part.clear();
        append_text(part, row[place], mapping.types[place]);
        if (is_blank(part))
            continue;
        if (!text.empty())
            text += '\n';
        text += part;
    }
    return text;
}

[[noreturn]] void refuse_vector(const VectorSpec &spec, const std::string &why)
{
    throw std::invalid_argument((spec.name.empty() ? "the vector " : "vector \"" + spec.name + "\" ") + why);
}

void append_item(std::string &out, const mapping::Scalar &item, const VectorSpec &spec)
{
    double value = 0;
    if (const auto *integer = std::get_if<std::int64_t>(&item)) {
        value = static_cast<double>(*integer);
    } else if (const auto *real = std::get_if<double>(&item)) {
        value = *real;
    } else {
        const auto *text = std::get_if<std::string>(&item);
        if (text == nullptr)
            refuse_vector(spec, "holds NULL");
        const auto parsed = std::from_chars(text->data(), text->data() + text->size(), value);
        if (parsed.ec != std::errc{} || parsed.ptr != text->data() + text->size())
            refuse_vector(spec, "holds a number that a float32 cannot be");
    }
    if (!embed::append_number(out, value))
        refuse_vector(spec, "holds a number that is not finite, or too large for a float32");
}

Slot given_slot(const Server &server, const Compiled &mapping, const VectorSpec &spec, const mapping::Row &row)
{
    Slot slot;
    const auto place = spec.columns.front();
    if (place >= row.size() || std::holds_alternative<std::monostate>(row[place]))
        return slot;
    std::string text;
    std::size_t dimensions = 0;
    if (const auto *list = std::get_if<mapping::List>(&row[place])) {
        if (list->extents.size() > 1)
            refuse_vector(spec, "is an array of several dimensions");
        text = "[";
        text.reserve(list->items.size() * 12);
        for (const auto &item : list->items) {
            if (text.size() > 1)
                text += ',';
            append_item(text, item, spec);
        }
        text += ']';
        dimensions = list->items.size();
    } else {
        const auto *written = std::get_if<std::string>(&row[place]);
        dimensions = written == nullptr ? 0 : embed::count_numbers(*written).value_or(0);
        if (dimensions == 0)
            refuse_vector(spec, "is not of the form [1,2,3] with finite numbers");
        text = *written;
    }
    if (dimensions == 0)
        refuse_vector(spec, "is an empty array");
    if (const auto declared = dimensions_of(server, mapping); declared != 0 && declared != dimensions)
        refuse_vector(spec, "has " + std::to_string(dimensions) + " dimensions, not " + std::to_string(declared));
    slot.empty = false;
    slot.vector = std::make_shared<const std::string>(std::move(text));
    return slot;
}

Slot embedded_slot(const Compiled &mapping, const VectorSpec &spec, const mapping::Row &row, std::string_view model, unsigned dimensions)
{
    Slot slot;
    slot.text = text_of(mapping, spec, row);
    slot.empty = slot.text.empty();
    if (!slot.empty)
        slot.fingerprint = embed::fingerprint(model, dimensions, slot.text);
    return slot;
}

/// Numbers that a float64 does not carry are texts, as at every other target.
void append_value(std::string &out, const Value &value, const Type &type)
{
    const auto *text = std::get_if<std::string>(&value);
    if (text != nullptr && type.kind == Kind::decimal && !type.fits_double)
        json::append_string(out, *text);
    else
        mapping::append_plain(out, value, type);
}

void append_hashes(std::string &out, const Compiled &mapping, const Point &point)
{
    if (!mapping.named()) {
        json::append_string(out, point.slots.front().fingerprint);
        return;
    }
    out += '{';
    for (std::size_t at = 0; at < point.slots.size(); ++at) {
        if (mapping.vectors[at].given || point.slots[at].empty)
            continue;
        if (out.back() != '{')
            out += ',';
        out += mapping.vectors[at].json_name;
        out += ':';
        json::append_string(out, point.slots[at].fingerprint);
    }
    out += '}';
}

std::string payload_of(const Compiled &mapping, const Point &point, const mapping::Change &change, std::int64_t version, std::string_view model)
{
    std::string out = R"({"_key":)";
    json::append_string(out, change.key);
    out += R"(,"_source":)";
    json::append_string(out, mapping.source);
    out += R"(,"_v":)";
    json::append_integer(out, version);
    if (mapping.embeds()) {
        out += R"(,"_hash":)";
        append_hashes(out, mapping, point);
        out += R"(,"_model":)";
        json::append_string(out, model);
    }
    if (mapping.transform) {
        static constexpr std::string_view own[] = {"_*"};
        if (const auto members = mapping::members_of(std::get<std::string>(change.row.at(*mapping.transform)), own); !members.empty())
            out.append(",").append(members);
    }
    for (const auto &field : mapping.payload) {
        out += ',';
        out += field.json_name;
        if (field.column < change.row.size())
            append_value(out, change.row[field.column], mapping.types[field.column]);
        else
            out += "null";
    }
    out += '}';
    return out;
}

/// The text of an integer as PostgreSQL writes it that is an id of Qdrant's: not negative.
bool is_unsigned(std::string_view text)
{
    return !text.empty() && text.size() <= 19 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }) &&
           (text.size() == 1 || text.front() != '0');
}

} // namespace

std::string plain_id(const Compiled &mapping, std::string_view key)
{
    if (mapping.id == IdRule::automatic && mapping.integer_key && is_unsigned(key))
        return std::string(key);
    if (mapping.id == IdRule::key) {
        if (!embed::is_uuid(key))
            throw std::invalid_argument("the key \"" + std::string(key.substr(0, 100)) +
                                        "\" is no UUID, but option \"id\" makes it the id of a point");
        return std::string(key);
    }
    return embed::uuid_of(id_space, mapping.source + '/' + std::string(key));
}

std::string point_id(const Compiled &mapping, std::string_view key)
{
    auto id = plain_id(mapping, key);
    return id.size() == 36 ? '"' + id + '"' : id;
}

std::size_t Point::size() const
{
    std::size_t total = payload.size() + 64;
    for (const auto &slot : slots)
        total += slot.text.size() + (slot.vector ? slot.vector->size() : 0);
    return total;
}

void append_vectors(std::string &out, const Compiled &mapping, const Point &point)
{
    if (!mapping.named()) {
        out += *point.slots.front().vector;
        return;
    }
    out += '{';
    for (std::size_t at = 0; at < point.slots.size(); ++at) {
        if (point.slots[at].vector == nullptr)
            continue;
        if (out.back() != '{')
            out += ',';
        out += mapping.vectors[at].json_name;
        out += ':';
        out += *point.slots[at].vector;
    }
    out += '}';
}

Point make_point(const Server &server, const Compiled &mapping, const mapping::Change &change, std::size_t index, std::int64_t version)
{
    Point point;
    point.change = index;
    point.id = point_id(mapping, change.key);
    point.removed = change.removed;
    if (change.removed)
        return point;
    const auto model = model_of(server, mapping);
    const auto dimensions = dimensions_of(server, mapping);
    for (const auto &spec : mapping.vectors)
        point.slots.push_back(spec.given ? given_slot(server, mapping, spec, change.row)
                                         : embedded_slot(mapping, spec, change.row, model, dimensions));
    point.removed = std::ranges::all_of(point.slots, &Slot::empty);
    if (point.removed)
        return point;
    point.payload = payload_of(mapping, point, change, version, model);
    if (point.payload.size() > largest_payload)
        throw std::invalid_argument("the payload of " + std::to_string(point.payload.size()) + " bytes is more than Qdrant takes in one request");
    return point;
}

} // namespace autosync::targets::qdrant
