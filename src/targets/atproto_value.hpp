// A column's value in the AT Protocol's data model: decided by the column's type.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "mapping/value.hpp"

namespace autosync::targets::atproto {

/// Integers as integers where every reader holds them exactly, beyond that as strings; numeric and floating point numbers as strings, for
/// the protocol has none; times with 'T' and a zone (those without one are taken for UTC); bytes as {"$bytes": …}. Throws
/// std::invalid_argument, without the column's name, for a time outside the years 1–9999 and for malformed json.
[[nodiscard]] nlohmann::json value_of(const mapping::Value &value, const mapping::Type &type);

} // namespace autosync::targets::atproto
