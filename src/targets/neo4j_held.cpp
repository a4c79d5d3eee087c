// Reading what the graph holds of one row.
#include <array>

#include <nlohmann/json.hpp>

#include "targets/neo4j_answer.hpp"

namespace autosync::targets::neo4j {
namespace {

using nlohmann::json;

constexpr std::array internal{"_key", "_v", "_m", "_fk", "_row", "_in", "_deleted"};

json plain(json properties)
{
    if (!properties.is_object())
        return json::object();
    for (const auto *const name : internal)
        properties.erase(name);
    return properties;
}

const json &at(const json &list, std::size_t index)
{
    static const json nothing;
    return list.is_array() && index < list.size() ? list[index] : nothing;
}

/// The key of the only parent, or all there are.
json parent(const json &keys) { return keys.is_array() && keys.size() < 2 ? at(keys, 0) : keys; }

std::string dump(const json &value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

} // namespace

Held read_inspected(const http::Response &response, const Shape &shape, bool removed)
{
    json found;
    if (auto problem = read_only_value(response, found))
        return {std::move(*problem)};
    Held held;
    held.problem.outcome = Outcome::delivered;
    json ours = plain(found.value("ours", json{}));
    json theirs = plain(found.value("theirs", json{}));
    bool there = found.contains("theirs") && found["theirs"].is_object();
    if (shape.edge) {
        const json ends = found.value("ends", json{});
        const json their_ends = found.value("their_ends", json{});
        removed = removed || at(ends, 0).is_null() || at(ends, 1).is_null(); // without both there is no relationship
        ours["(from)"] = at(ends, 0);
        ours["(to)"] = at(ends, 1);
        theirs["(from)"] = at(their_ends, 0);
        theirs["(to)"] = at(their_ends, 1);
    } else {
        const json links = found.value("links", json{});
        const json their_links = found.value("their_links", json{});
        for (std::size_t i = 0; i < shape.relations.size(); ++i) {
            const auto name = "[" + shape.relations[i].type + " " + shape.relations[i].id + "]";
            ours[name] = at(links, i);
            theirs[name] = parent(at(their_links, i));
        }
        ours["(label)"] = shape.label;
        theirs["(label)"] = found.value("label", json{}) == json(true) ? json(shape.label) : json{};
    }
    if (!removed)
        held.ours = dump(ours);
    if (there)
        held.theirs = dump(theirs);
    return held;
}

} // namespace autosync::targets::neo4j
