// Fingerprints of texts and names that stay the same for ever: they are stored at targets.
#pragma once

#include <string>
#include <string_view>

namespace autosync::embed {

/// What a text's vector depends on, as 32 hex digits: SHA-256 of model, NUL, dimensions, NUL, text, cut in half. `dimensions` 0: the model's own.
[[nodiscard]] std::string fingerprint(std::string_view model, unsigned dimensions, std::string_view text);

/// As 64 hex digits.
[[nodiscard]] std::string sha256(std::string_view text);

/// The UUID of version 5 (SHA-1, RFC 4122) of a name, in lower case. `space`: the namespace, 36 characters.
[[nodiscard]] std::string uuid_of(std::string_view space, std::string_view name);

/// Whether a text is a UUID as PostgreSQL writes it: 36 characters, lower case.
[[nodiscard]] bool is_uuid(std::string_view text);

} // namespace autosync::embed
