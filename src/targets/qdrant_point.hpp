// A row as a point of Qdrant: id, texts to be embedded or vectors that it holds, payload.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "embed/cache.hpp"
#include "targets/qdrant_mapping.hpp"

namespace autosync::targets::qdrant {

/// The namespace of all ids that are UUIDs made of source and key: uuid_of(id_space, "public.orders/42").
inline constexpr std::string_view id_space = "6f1d3c52-8a4e-4b7f-9c21-0d3e4f5a6b7c";

/// The id of a row's point as JSON: a bare integer or a UUID in quotes. Throws std::invalid_argument for a key that cannot be one.
[[nodiscard]] std::string point_id(const Compiled &mapping, std::string_view key);
/// Without quotes, for people.
[[nodiscard]] std::string plain_id(const Compiled &mapping, std::string_view key);

/// One vector of one row.
struct Slot {
    bool empty = true;       ///< the row has none
    std::string text;        ///< to be embedded; empty for a given one
    std::string fingerprint; ///< of the text
    embed::Vector vector;    ///< given, or embedded by now
    bool kept = false;       ///< the target has it already
};

struct Point {
    std::size_t change = 0;                 ///< index into the batch
    std::string id;                         ///< JSON
    bool removed = false;                   ///< no row, or nothing to search it by
    std::vector<Slot> slots;                ///< one per vector of the mapping
    std::string payload;                    ///< JSON object
    [[nodiscard]] std::size_t size() const; ///< bytes that it takes in requests, about
};

/// Throws std::invalid_argument, with a reason for people, for a row that can be no point.
[[nodiscard]] Point make_point(const Server &server, const Compiled &mapping, const mapping::Change &change, std::size_t index, std::int64_t version);

/// {"name":[…],…} or […], of the slots that have a vector.
void append_vectors(std::string &out, const Compiled &mapping, const Point &point);

} // namespace autosync::targets::qdrant
