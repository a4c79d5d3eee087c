// Writes JSON by appending to a string: no tree, no exceptions for what a row may hold, never invalid JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace autosync::mapping::json {

/// A quoted string. Bytes that are not UTF-8 become U+FFFD, so that the result always is.
void append_string(std::string &out, std::string_view text);
void append_integer(std::string &out, std::int64_t value);
/// The shortest text that reads back as the same float64, always with a point or an exponent (else readers take 1 for an integer);
/// NaN and infinities as the strings "NaN", "Infinity", "-Infinity".
void append_real(std::string &out, double value);
/// The text of a numeric as it stands; what JSON has no number for ('NaN', 'Infinity') as a string.
void append_decimal(std::string &out, std::string_view text);
/// A quoted base64 string (RFC 4648, padded).
void append_base64(std::string &out, std::string_view bytes);

/// -?digits[.digits][e[+-]digits] without superfluous leading zeros.
[[nodiscard]] bool is_number(std::string_view text);

} // namespace autosync::mapping::json
