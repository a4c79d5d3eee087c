// What a sync becomes in the graph, before it becomes statements: labels, relationships, properties, as the options say or the keys suggest.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mapping/source.hpp"

namespace autosync::targets::neo4j {

/// A foreign key as a relationship between the row's node and its parent's.
struct Relation {
    std::size_t link = 0; ///< index into Source::links
    std::string id;       ///< kept in the relationship as _fk: which ones are ours, and of which foreign key
    std::string type;
    bool incoming = false;  ///< leads from the parent to the row
    std::string parent;     ///< the parent's private label
    std::string label;      ///< public label the parent is known by
    std::string stub_label; ///< label asked for a parent that no sync of its own brings; may be empty
};

/// The row is itself a relationship between two parents.
struct Edge {
    std::string type;
    Relation from;
    Relation to;
};

struct Shape {
    std::string name;          ///< 'schema.table', kept as _fk in an edge
    std::string private_label; ///< of every entity of this source, living or not; carries the unique constraint
    std::string label;         ///< of living nodes only; empty for an edge
    std::vector<Relation> relations;
    std::vector<std::string> parents; ///< private labels of all tables that a foreign key leads to, related or not, each once
    std::optional<Edge> edge;
    std::vector<std::string> properties; ///< one name per column
    std::string mark;                    ///< kept as _m: hash of all the above but the properties, then the label; a change shows what to take back
};

/// Throws std::invalid_argument with a message for the user.
[[nodiscard]] Shape read_shape(const mapping::Source &source);

/// A name in back-ticks. Throws std::invalid_argument for what Cypher cannot carry: control characters, and backslash-u, which it decodes first.
[[nodiscard]] std::string quote_name(std::string_view name);
/// Sixteen hexadecimal digits, the same on every machine.
[[nodiscard]] std::string hash(std::string_view text);

} // namespace autosync::targets::neo4j
