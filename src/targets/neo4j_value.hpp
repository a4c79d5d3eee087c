// A row as the parameters of a Neo4j statement.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mapping/value.hpp"

namespace autosync::targets::neo4j {

/// How one column travels: its property, and for temporals the extra parameter that a function in the statement turns into a native value.
struct Field {
    std::string json_name;   ///< '"name":'
    std::string cypher_name; ///< in back-ticks
    mapping::Type type;
    std::optional<std::size_t> native; ///< number of the extra parameter: row.t0, row.t1, …
};

/// Numbers temporals; `properties` has one name per column.
[[nodiscard]] std::vector<Field> make_fields(const std::vector<mapping::Column> &columns, const std::vector<std::string> &properties);

/// The Cypher function that makes a native value of this kind ('date', 'localdatetime', …); empty for kinds that need none.
[[nodiscard]] std::string_view native_function(mapping::Kind kind);

/// Appends ',"name":value' for everything that is not NULL and does not travel as a native value.
void append_properties(std::string &out, const std::vector<Field> &fields, const mapping::Row &row);
/// Appends ',"t0":"2024-02-29"' for the temporals that Neo4j can hold (years 1–9999, times before 24:00); the others are properties, as text.
void append_natives(std::string &out, const std::vector<Field> &fields, const mapping::Row &row);

} // namespace autosync::targets::neo4j
