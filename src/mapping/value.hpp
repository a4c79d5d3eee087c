// Typed values of a row, as they leave PostgreSQL and before any target gives them a form of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace autosync::mapping {

/// What a column's type is for a target; decided by the declared type, never by the value at hand.
enum class Kind : std::uint8_t {
    boolean,
    integer,     ///< int2, int4, int8: std::int64_t
    real,        ///< float4, float8: double, may be NaN or infinite
    decimal,     ///< numeric: its canonical text, also 'NaN', 'Infinity', '-Infinity'
    text,        ///< text-like, and every type without a kind of its own: its text form, UTF-8
    json,        ///< json, jsonb: JSON text as PostgreSQL holds it
    date,        ///< ISO 8601 '2024-02-29'; outside years 1–9999 PostgreSQL's ISO text: 'infinity', '0044-03-15 BC', '12024-01-01'
    time,        ///< '12:34:56.789'
    timetz,      ///< '12:34:56.789+02:00'
    timestamp,   ///< '2024-02-29T12:34:56.789', else as for date
    timestamptz, ///< in UTC: '2024-02-29T12:34:56.789Z', else as for date
    bytes,       ///< bytea: the raw bytes
    list         ///< an array: List
};

struct Type {
    Kind kind = Kind::text;
    Kind element = Kind::text; ///< of a list
    bool fits_double = false;  ///< decimal of at most 15 digits (numeric(p <= 15, s)), of the element for a list: a float64 carries it exactly

    friend bool operator==(const Type &, const Type &) = default;
};

/// monostate is NULL; date, time, decimal, json, bytes and text are all carried as std::string.
using Scalar = std::variant<std::monostate, bool, std::int64_t, double, std::string>;

/// A PostgreSQL array, flattened in storage order; `extents` has one length per dimension (none for an empty array).
struct List {
    std::vector<Scalar> items;
    std::vector<int> extents;

    friend bool operator==(const List &, const List &) = default;
};

using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string, List>;

struct Column {
    std::string name;
    Type type;

    friend bool operator==(const Column &, const Column &) = default;
};

/// One value per column, in the order of the source's columns.
using Row = std::vector<Value>;

} // namespace autosync::mapping
