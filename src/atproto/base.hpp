// Bytes as text, in the alphabets that the AT Protocol uses.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace autosync::atproto {

[[nodiscard]] std::string to_base32(std::string_view bytes);                     ///< RFC 4648, lower case, without padding
[[nodiscard]] std::optional<std::string> from_base32(std::string_view text);
[[nodiscard]] std::string to_base64url(std::string_view bytes);                  ///< without padding
[[nodiscard]] std::optional<std::string> from_base64url(std::string_view text);
[[nodiscard]] std::string to_base64(std::string_view bytes);                     ///< without padding, as the data model writes bytes
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);     ///< with or without padding

} // namespace autosync::atproto
