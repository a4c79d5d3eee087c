// Blobs: bytes that a record refers to, uploaded beside it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace autosync::atproto {

struct Blob {
    std::string field; ///< for errors
    std::string type;  ///< content type
    std::string cid;
    std::string bytes;
    bool there = false; ///< the repository has it

    friend bool operator==(const Blob &, const Blob &) = default;
};

/// A place in a record: 'avatar', 'embed.images[0].image'.
using Place = std::vector<std::variant<std::string, std::size_t>>;

/// Throws std::invalid_argument.
[[nodiscard]] Place parse_place(std::string_view text);

/// What the bytes are, by how they begin; 'application/octet-stream' when that says nothing.
[[nodiscard]] std::string_view content_type_of(std::string_view bytes);

/// Puts the reference to a blob into a record; what is missing on the way there is made. Throws std::invalid_argument where something else stands.
void place_blob(nlohmann::json &record, const Place &place, const Blob &blob);
/// Gives all references to the blob its type.
void retype_references(nlohmann::json &record, const Blob &blob);

} // namespace autosync::atproto
