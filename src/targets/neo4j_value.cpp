#include "targets/neo4j_value.hpp"

#include <algorithm>
#include <cmath>

#include "mapping/document.hpp"
#include "mapping/json.hpp"
#include "targets/neo4j_shape.hpp"

namespace autosync::targets::neo4j {
namespace {

using mapping::Kind;
using mapping::List;
using mapping::Type;
using mapping::Value;
namespace json = mapping::json;

constexpr std::size_t longest_double = 300; ///< digits: numeric(2,-1000) is a number no float64 holds

/// Text against a pattern in which '0' stands for any digit.
bool takes_form(std::string_view text, std::string_view pattern)
{
    return std::ranges::equal(text, pattern, [](char c, char form) { return form == '0' ? c >= '0' && c <= '9' : c == form; });
}

bool is_date(std::string_view text) { return takes_form(text, "0000-00-00") && !text.starts_with("0000"); }

bool is_time(std::string_view text)
{
    if (text.size() < 8 || !takes_form(text.substr(0, 8), "00:00:00") || text.substr(0, 2) > "23")
        return false;
    text.remove_prefix(8);
    return text.empty() || (text.size() >= 2 && text.size() <= 10 && text[0] == '.' && text.find_first_not_of("0123456789", 1) == text.npos);
}

bool is_timestamp(std::string_view text) { return text.size() > 10 && text[10] == 'T' && is_date(text.substr(0, 10)) && is_time(text.substr(11)); }

bool is_timetz(std::string_view text)
{
    const auto zone = text.find_first_of("+-Z");
    if (zone == text.npos || !is_time(text.substr(0, zone)))
        return false;
    const auto offset = text.substr(zone);
    const auto unsigned_offset = offset.substr(1);
    return offset == "Z" || ((takes_form(unsigned_offset, "00:00") || takes_form(unsigned_offset, "00")) && unsigned_offset.substr(0, 2) < "18");
}

bool is_native(std::string_view text, Kind kind)
{
    switch (kind) {
    case Kind::date:
        return is_date(text);
    case Kind::time:
        return is_time(text);
    case Kind::timetz:
        return is_timetz(text);
    case Kind::timestamp:
        return is_timestamp(text);
    case Kind::timestamptz:
        return text.ends_with('Z') && is_timestamp(text.substr(0, text.size() - 1));
    default:
        return false;
    }
}

bool is_stored_decimal(std::string_view text, const Type &type) { return type.fits_double && text.size() <= longest_double && json::is_number(text); }

void append_text(std::string &out, const std::string &text, Kind kind, const Type &type)
{
    if (kind == Kind::bytes) {
        json::append_base64(out, text);
    } else if (kind == Kind::decimal && is_stored_decimal(text, type)) {
        out += text;
        if (text.find_first_of(".eE") == text.npos)
            out += ".0"; // else it arrives as an integer
    } else {
        json::append_string(out, text);
    }
}

/// Both variants hold the same scalars, so one visitor serves them.
struct Property {
    std::string &out;
    Kind kind;
    const Type &type;

    void operator()(std::monostate) const { out += "null"; }
    void operator()(bool value) const { out += value ? "true" : "false"; }
    void operator()(std::int64_t value) const { json::append_integer(out, value); }
    void operator()(double value) const { json::append_real(out, value); }
    void operator()(const std::string &value) const { append_text(out, value, kind, type); }
    void operator()(const List &list) const;
};

bool is_flat(const List &list) { return list.extents.size() <= 1; }

/// Neo4j holds lists of one type only: no NULL, and no number among texts.
bool is_uniform(const List &list, const Type &type)
{
    const auto fits = [&](const mapping::Scalar &item) {
        if (const auto *real = std::get_if<double>(&item))
            return std::isfinite(*real);
        if (const auto *text = std::get_if<std::string>(&item))
            return !type.fits_double || is_stored_decimal(*text, type);
        return !std::holds_alternative<std::monostate>(item);
    };
    return is_flat(list) && std::ranges::all_of(list.items, fits);
}

void Property::operator()(const List &list) const
{
    if (!is_uniform(list, type)) {
        std::string text;
        mapping::append_plain(text, list, type);
        json::append_string(out, text);
        return;
    }
    out += '[';
    for (std::size_t at = 0; at < list.items.size(); ++at) {
        if (at > 0)
            out += ',';
        std::visit(Property{out, type.element, type}, list.items[at]);
    }
    out += ']';
}

/// Whether the whole value can be made native by the field's function.
bool travels_native(const Field &field, const Value &value)
{
    if (!field.native)
        return false;
    if (const auto *text = std::get_if<std::string>(&value))
        return is_native(*text, field.type.kind);
    const auto *list = std::get_if<List>(&value);
    return list != nullptr && is_flat(*list) && std::ranges::all_of(list->items, [&](const mapping::Scalar &item) {
               const auto *text = std::get_if<std::string>(&item);
               return text != nullptr && is_native(*text, field.type.element);
           });
}

} // namespace

std::vector<Field> make_fields(const std::vector<mapping::Column> &columns, const std::vector<std::string> &properties)
{
    std::vector<Field> fields;
    std::size_t natives = 0;
    for (std::size_t at = 0; at < columns.size(); ++at) {
        Field field{"", quote_name(properties[at]), columns[at].type, {}};
        json::append_string(field.json_name, properties[at]);
        field.json_name += ':';
        const auto kind = field.type.kind == Kind::list ? field.type.element : field.type.kind;
        if (!native_function(kind).empty())
            field.native = natives++;
        fields.push_back(std::move(field));
    }
    return fields;
}

std::string_view native_function(Kind kind)
{
    switch (kind) {
    case Kind::date:
        return "date";
    case Kind::time:
        return "localtime";
    case Kind::timetz:
        return "time";
    case Kind::timestamp:
        return "localdatetime";
    case Kind::timestamptz:
        return "datetime";
    default:
        return {};
    }
}

void append_properties(std::string &out, const std::vector<Field> &fields, const mapping::Row &row)
{
    for (std::size_t at = 0; at < std::min(fields.size(), row.size()); ++at) {
        if (std::holds_alternative<std::monostate>(row[at]) || travels_native(fields[at], row[at]))
            continue;
        out += ',';
        out += fields[at].json_name;
        std::visit(Property{out, fields[at].type.kind, fields[at].type}, row[at]);
    }
}

void append_natives(std::string &out, const std::vector<Field> &fields, const mapping::Row &row)
{
    for (std::size_t at = 0; at < std::min(fields.size(), row.size()); ++at) {
        if (!travels_native(fields[at], row[at]))
            continue;
        out += ",\"t";
        json::append_integer(out, static_cast<std::int64_t>(*fields[at].native));
        out += "\":";
        std::visit(Property{out, Kind::text, fields[at].type}, row[at]);
    }
}

} // namespace autosync::targets::neo4j
