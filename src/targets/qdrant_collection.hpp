// What Qdrant says about its collections: their vectors, and the aliases that lead to them.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "http/message.hpp"

namespace autosync::targets::qdrant {

/// What a collection takes for one of its vectors.
struct VectorParams {
    std::size_t size = 0;
    std::string distance;
};

/// By name, empty for the unnamed one, of the answer to GET /collections/name. nullopt: not such an answer.
[[nodiscard]] std::optional<std::map<std::string, VectorParams>> read_collection(const http::Response &response);

/// The name behind an alias in the answer to GET /aliases: the alias itself when there is no such alias. Empty: not such an answer.
[[nodiscard]] std::string behind_alias(const http::Response &response, const std::string &alias);

} // namespace autosync::targets::qdrant
