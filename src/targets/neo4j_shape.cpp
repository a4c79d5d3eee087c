#include "targets/neo4j_shape.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <stdexcept>

#include "config/json.hpp"

namespace autosync::targets::neo4j {
namespace {

using Json = nlohmann::ordered_json;
using mapping::Link;
using mapping::Source;

/// Properties that carry our own bookkeeping.
constexpr std::array<std::string_view, 9> reserved{"_a", "_b", "_deleted", "_fk", "_in", "_key", "_m", "_row", "_v"};

[[noreturn]] void refuse(const std::string &message) { throw std::invalid_argument(message); }

std::string_view option(const Source &source, const std::string &name)
{
    const auto found = source.options.find(name);
    return found == source.options.end() ? std::string_view{} : std::string_view{found->second};
}

bool is_on(std::string_view text) { return text == "on" || text == "true" || text == "yes" || text == "1"; }
bool is_off(std::string_view text) { return text == "off" || text == "false" || text == "no" || text == "0"; }

Json object_option(std::string_view text, std::string_view name)
{
    auto parsed = config::parse_json(text);
    if (!parsed || !parsed->is_object())
        refuse("option \"" + std::string(name) + "\" is not a JSON object");
    return std::move(*parsed);
}

std::string text_member(const Json &value, const std::string &option_name)
{
    if (!value.is_string() || value.get_ref<const std::string &>().empty())
        refuse("option \"" + option_name + "\" has a name that is not a text or is empty");
    return value.get<std::string>();
}

std::string upper(std::string text)
{
    std::ranges::transform(text, text.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    return text;
}

/// customer_id -> CUSTOMER; several columns joined by '_'.
std::string default_type(const Link &link)
{
    std::string type;
    for (const auto &column : link.columns) {
        const bool has_suffix = column.size() > 3 && upper(column).ends_with("_ID");
        type += (type.empty() ? "" : "_") + column.substr(0, column.size() - (has_suffix ? 3 : 0));
    }
    return upper(type);
}

std::string label_of_parent(const Link &link) { return link.parent_label.empty() ? link.parent_table : link.parent_label; }

std::string listed_links(const Source &source)
{
    std::string out;
    for (const auto &link : source.links)
        out += (out.empty() ? "\"" : ", \"") + link.name + '"';
    return out.empty() ? "the table has no foreign key" : "its foreign keys are " + out;
}

/// By the columns joined by ','; blanks around the commas do not matter.
std::size_t find_link(const Source &source, const std::string &name, const std::string &option_name)
{
    std::string tight;
    for (std::size_t at = 0; at < name.size(); ++at) {
        const bool beside_comma = (!tight.empty() && tight.back() == ',') || name.find_first_not_of(' ', at) == name.find(',', at);
        if (name[at] != ' ' || !beside_comma)
            tight += name[at];
    }
    for (std::size_t at = 0; at < source.links.size(); ++at) {
        if (source.links[at].name == name || source.links[at].name == tight)
            return at;
    }
    refuse("option \"" + option_name + "\" names \"" + name + "\", which is not a foreign key of \"" + source.name + "\": " + listed_links(source));
}

Relation inferred_relation(const Source &source, std::size_t at)
{
    const Link &link = source.links[at];
    Relation relation{at, source.name + '.' + link.name, default_type(link), false, '_' + link.parent, label_of_parent(link), ""};
    const auto same_name = [&](const Link &other) { return other.name == link.name; };
    if (std::ranges::count_if(source.links, same_name) > 1)
        relation.id += '>' + link.parent; // one set of columns may refer to two tables
    return relation;
}

/// Applies {"type": …, "label": …, "direction": …}, or a bare type. False: this foreign key shall not become a relationship.
bool override_relation(Relation &relation, const Json &given, const std::string &name)
{
    const std::string option_name = "relationships";
    if ((given.is_boolean() && !given.get<bool>()) || (given.is_string() && is_off(given.get_ref<const std::string &>())))
        return false;
    if (given.is_string()) {
        relation.type = text_member(given, option_name);
        return true;
    }
    if (!given.is_object())
        refuse("option \"relationships\" has for \"" + name + R"(" neither a type nor an object like {"type": "PLACED", "direction": "in"})");
    for (const auto &[member, value] : given.items()) {
        const auto text = text_member(value, option_name);
        if (member == "type")
            relation.type = text;
        else if (member == "label")
            relation.label = relation.stub_label = text;
        else if (member == "direction" && (text == "in" || text == "out"))
            relation.incoming = text == "in";
        else if (member == "direction")
            refuse("option \"relationships\" has direction \"" + text + R"(" for ")" + name + R"(": it is "in" or "out")");
        else
            refuse("option \"relationships\" has the unknown member \"" + member + "\": valid ones are type, label, direction");
    }
    return true;
}

std::vector<Relation> read_relations(const Source &source)
{
    const auto text = option(source, "relationships");
    if (is_off(text))
        return {};
    std::vector<Json> given(source.links.size());
    if (!text.empty() && !is_on(text)) {
        const auto object = object_option(text, "relationships");
        for (const auto &[name, value] : object.items())
            given[find_link(source, name, "relationships")] = value;
    }
    std::vector<Relation> relations;
    for (std::size_t at = 0; at < source.links.size(); ++at) {
        auto relation = inferred_relation(source, at);
        if (given[at].is_null() || override_relation(relation, given[at], source.links[at].name))
            relations.push_back(std::move(relation));
    }
    return relations;
}

Edge read_edge(const Source &source, std::string_view text)
{
    Edge edge{upper(source.table), {}, {}};
    std::optional<std::size_t> from;
    std::optional<std::size_t> to;
    if (text.starts_with('{')) {
        const auto object = object_option(text, "relationship");
        for (const auto &[member, value] : object.items()) {
            const auto name = text_member(value, "relationship");
            if (member == "type")
                edge.type = name;
            else if (member == "from")
                from = find_link(source, name, "relationship");
            else if (member == "to")
                to = find_link(source, name, "relationship");
            else
                refuse("option \"relationship\" has the unknown member \"" + member + "\": valid ones are type, from, to");
        }
    } else if (!text.empty() && !is_on(text)) {
        edge.type = text;
    }
    const bool obvious = source.links.size() == 2 || source.join_table;
    if (obvious && !from)
        from = to && *to == 0 ? 1 : 0;
    if (obvious && !to)
        to = *from == 0 ? 1 : 0;
    if (!from || !to || *from == *to)
        refuse("a relationship leads from one foreign key of \"" + source.name +
               "\" to another, given by \"from\" and \"to\" in the option "
               "\"relationship\": " +
               listed_links(source));
    edge.from = inferred_relation(source, *from);
    edge.to = inferred_relation(source, *to);
    return edge;
}

std::optional<Edge> maybe_edge(const Source &source)
{
    const auto text = option(source, "relationship");
    const auto relationships = option(source, "relationships");
    const bool inferred = text.empty() && source.join_table && !is_off(relationships);
    if (is_off(text) || (text.empty() && !inferred))
        return std::nullopt;
    if (!relationships.empty() && !is_on(relationships))
        refuse("option \"relationships\" does not apply to \"" + source.name +
               "\", whose rows are relationships themselves: set the option \"relationship\", or turn it off");
    return read_edge(source, text);
}

std::vector<std::string> read_properties(const Source &source)
{
    std::vector<std::string> properties;
    for (const auto &column : source.columns)
        properties.push_back(column.name);
    if (const auto text = option(source, "properties"); !text.empty()) {
        const auto object = object_option(text, "properties");
        for (const auto &[name, value] : object.items()) {
            const auto found = std::ranges::find(source.columns, name, &mapping::Column::name);
            if (found == source.columns.end())
                refuse("option \"properties\" names \"" + name + "\", which is not a column that is sent");
            properties[static_cast<std::size_t>(found - source.columns.begin())] = text_member(value, "properties");
        }
    }
    std::set<std::string_view> seen;
    for (const auto &property : properties) {
        (void)quote_name(property);
        if (std::ranges::find(reserved, property) != reserved.end())
            refuse("property \"" + property + "\" is one of autosync's own: name another in the option \"properties\", or leave the column out");
        if (!seen.insert(property).second)
            refuse("two columns become the property \"" + property + "\"");
    }
    return properties;
}

std::string mark_of(const Shape &shape)
{
    std::string text;
    const auto add = [&](const Relation &each) {
        text += each.id + '\n' + each.type + '\n' + (each.incoming ? "in\n" : "out\n") + each.parent + '\n';
    };
    std::ranges::for_each(shape.relations, add);
    if (shape.edge) {
        text += "edge " + shape.edge->type + '\n';
        add(shape.edge->from);
        add(shape.edge->to);
    }
    return hash(text).substr(0, 8) + shape.label;
}

} // namespace

std::string hash(std::string_view text)
{
    std::uint64_t state = 0xcbf29ce484222325U; // FNV-1a
    for (const char byte : text)
        state = (state ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
    std::string out(16, '0');
    for (std::size_t at = 0; at < out.size(); ++at)
        out[at] = "0123456789abcdef"[state >> (60 - 4 * at) & 15U];
    return out;
}

std::string quote_name(std::string_view name)
{
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
    if (name.empty())
        refuse("an empty name cannot be a label, type or property");
    if (std::ranges::any_of(name, is_control))
        refuse("a name with control characters cannot be a label, type or property");
    if (name.find("\\u") != std::string_view::npos)
        refuse("\"" + std::string(name) + "\" cannot be a label, type or property: Cypher would decode its backslash-u");
    std::string out = "`";
    for (const char c : name)
        out.append(c == '`' ? 2 : 1, c);
    return out + '`';
}

Shape read_shape(const Source &source)
{
    Shape shape;
    shape.name = source.name;
    shape.private_label = '_' + source.name;
    shape.properties = read_properties(source);
    for (const auto &link : source.links) {
        if (std::ranges::find(shape.parents, '_' + link.parent) == shape.parents.end())
            shape.parents.push_back('_' + link.parent);
    }
    shape.edge = maybe_edge(source);
    if (!shape.edge) {
        const auto label = option(source, "label");
        shape.label = label.empty() ? source.table : std::string(label);
        if (shape.label.starts_with('_') && shape.label.find('.') != std::string::npos)
            refuse("label \"" + shape.label + "\" looks like one of autosync's own: choose one that does not begin with an underscore");
        shape.relations = read_relations(source);
    }
    shape.mark = mark_of(shape);
    return shape;
}

} // namespace autosync::targets::neo4j
