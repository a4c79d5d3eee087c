// Changes as bytes, for another process of the same server.
#pragma once

#include <string>
#include <string_view>

#include "mapping/source.hpp"

namespace autosync::mapping {

void pack(std::string &out, const Change &change);
/// Takes one change off the front. Throws std::runtime_error when the bytes are none.
[[nodiscard]] Change unpack(std::string_view &bytes);

void pack(std::string &out, std::string_view text);
void pack(std::string &out, std::int64_t number);
[[nodiscard]] std::string unpack_text(std::string_view &bytes);    ///< throws std::runtime_error
[[nodiscard]] std::int64_t unpack_number(std::string_view &bytes); ///< throws std::runtime_error

} // namespace autosync::mapping
