// A row as a plain JSON object: the form for targets that have no types of their own.
#pragma once

#include <span>
#include <string>

#include "mapping/value.hpp"

namespace autosync::mapping {

/// Integers and numerics as JSON numbers (NaN and infinities as strings), json as it is, bytes in base64, temporals as their text,
/// lists nested by their dimensions, NULL as null.
void append_plain(std::string &out, const Value &value, const Type &type);
/// {"column": value, …} in the order of the columns. A row shorter than its columns leaves the rest out.
void append_document(std::string &out, std::span<const Column> columns, const Row &row);

} // namespace autosync::mapping
