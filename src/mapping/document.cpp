#include "mapping/document.hpp"

#include <algorithm>
#include <cstddef>

#include "mapping/json.hpp"

namespace autosync::mapping {
namespace {

void append_text(std::string &out, const std::string &text, Kind kind)
{
    switch (kind) {
    case Kind::decimal:
        json::append_decimal(out, text);
        break;
    case Kind::json:
        out += text;
        break;
    case Kind::bytes:
        json::append_base64(out, text);
        break;
    default:
        json::append_string(out, text);
    }
}

/// Both variants hold the same scalars, so one visitor serves them.
struct Plain {
    std::string &out;
    Kind kind;
    Kind element;

    void operator()(std::monostate) const { out += "null"; }
    void operator()(bool value) const { out += value ? "true" : "false"; }
    void operator()(std::int64_t value) const { json::append_integer(out, value); }
    void operator()(double value) const { json::append_real(out, value); }
    void operator()(const std::string &value) const { append_text(out, value, kind); }
    void operator()(const List &list) const
    {
        std::size_t next = 0;
        append_dimension(list, 0, next);
        if (list.extents.empty())
            out += "[]";
    }

    void append_dimension(const List &list, std::size_t dimension, std::size_t &next) const
    {
        if (dimension == list.extents.size())
            return;
        const bool innermost = dimension + 1 == list.extents.size();
        out += '[';
        for (int at = 0; at < list.extents[dimension]; ++at) {
            if (at > 0)
                out += ',';
            if (!innermost)
                append_dimension(list, dimension + 1, next);
            else if (next < list.items.size())
                std::visit(Plain{out, element, element}, list.items[next++]);
            else
                out += "null";
        }
        out += ']';
    }
};

} // namespace

void append_plain(std::string &out, const Value &value, const Type &type) { std::visit(Plain{out, type.kind, type.element}, value); }

void append_document(std::string &out, std::span<const Column> columns, const Row &row)
{
    out += '{';
    for (std::size_t at = 0; at < std::min(columns.size(), row.size()); ++at) {
        if (at > 0)
            out += ',';
        json::append_string(out, columns[at].name);
        out += ':';
        append_plain(out, row[at], columns[at].type);
    }
    out += '}';
}

} // namespace autosync::mapping
