// A sync compiled to Cypher. Names stand in the statements, values only in parameters.
//
// Every entity is a node of a private label with a unique key (_key), a version (_v) and, when removed, a tombstone's mark (_deleted); what is
// held in a version at least as new is left alone, and counted. The public label is there only while the row lives, so stubs (parents that have
// not arrived) and tombstones are invisible to the user's queries. A row that is a relationship leaves a ledger node of the same kind.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "targets/neo4j_shape.hpp"
#include "targets/neo4j_value.hpp"
#include "targets/target.hpp"

namespace autosync::targets::neo4j {

struct Compiled final : Mapping {
    Shape shape;
    std::vector<Field> fields;
    std::optional<std::size_t> transform; ///< place in a row of an object that is the properties, in place of fields
    std::vector<std::size_t> links; ///< of Source::links, those that become relationships, in the order in which parents are locked
    std::string json_mark;          ///< '"…"'
    std::string upsert;             ///< '{"statement":"…","parameters":{…,': to be ended by '"rows":[…]}}'
    std::string remove;             ///< the same; wants "v" as well
    std::string inspect;            ///< like upsert: asks for what there is of the row, beside what it would be
    std::string purge;              ///< the same; wants "limit"
};

[[nodiscard]] std::unique_ptr<const Compiled> compile_source(const mapping::Source &source);

/// Constraints of the source and of its parents, and the index that finds tombstones; each may run again.
[[nodiscard]] std::vector<std::string> schema_statements(const Shape &shape);
[[nodiscard]] std::string enumerate_statement(const Shape &shape, bool from_start);
[[nodiscard]] std::string collect_statement(const Shape &shape);
/// Once nothing of the source is left: removes stubs that nothing refers to any more, its own and its parents'.
[[nodiscard]] std::vector<std::string> stub_statements(const Shape &shape);

/// What the graph holds of each row, and what it would hold, made by the same functions: maps of properties, relations by their types, the label.
[[nodiscard]] std::string inspect_statement(const Shape &shape, const std::vector<Field> &fields);
/// The expression that makes a native value of a row's parameter.
[[nodiscard]] std::string native_value(const Field &field);

/// Appends the row of an upsert: {"p":{…},"t0":…,"f0":…}.
void append_row(std::string &out, const Compiled &compiled, const mapping::Change &change, std::int64_t version);

} // namespace autosync::targets::neo4j
