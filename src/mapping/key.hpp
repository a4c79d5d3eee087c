// The text of a key: the value of its only column, or a JSON object with one field per column, always written alike.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace autosync::mapping {

struct KeyPart {
    std::string name;
    bool number = false; ///< an integer: written bare

    friend bool operator==(const KeyPart &, const KeyPart &) = default;
};

/// '42', or '{"playlist_id": 1, "track_id": 3402}' for several columns; `texts`: the canonical text of each. Any encoding that contains ASCII.
[[nodiscard]] std::string key_text(std::span<const KeyPart> parts, std::span<const std::string> texts);

/// As a JSON string, byte for byte: valid JSON only where the text is UTF-8, but always the same text when it is read again.
void append_quoted(std::string &out, std::string_view text);

/// '["1", "3402"]', and back. texts_from_json throws std::invalid_argument for anything that texts_to_json does not write.
[[nodiscard]] std::string texts_to_json(std::span<const std::string> texts);
[[nodiscard]] std::vector<std::string> texts_from_json(std::string_view json);

} // namespace autosync::mapping
