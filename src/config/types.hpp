// What PostgreSQL's types are for targets: decided by declared type alone.
#pragma once

#include "mapping/value.hpp"
#include "pg/postgres.hpp"

namespace autosync::config {

/// A domain's base type (of any depth), any other type as it is. `typmod` follows.
[[nodiscard]] Oid base_type(Oid type, int32 &typmod);
/// For a base type.
[[nodiscard]] mapping::Type type_of(Oid type, int32 typmod);
/// Qualified and without length, as a cast wants it.
[[nodiscard]] std::string type_name(Oid type);

} // namespace autosync::config
