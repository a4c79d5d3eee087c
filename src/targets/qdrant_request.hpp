// Requests to Qdrant's REST API: only what is documented since 1.12.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "targets/qdrant_mapping.hpp"

namespace autosync::targets::qdrant {

[[nodiscard]] http::Request request_of(const Server &server, std::string method, std::string_view path, std::string body = "");
/// '/collections/name' and what follows.
[[nodiscard]] std::string collection_path(std::string_view collection, std::string_view rest = "");

/// What is there of these points: version and fingerprints. `ids`: JSON.
[[nodiscard]] http::Request read_points(const Server &server, std::string_view collection, std::span<const std::string_view> ids);
/// All of one point but its vectors.
[[nodiscard]] http::Request read_payload(const Server &server, std::string_view collection, std::string_view id);
[[nodiscard]] http::Request delete_points(const Server &server, std::string_view collection, std::span<const std::string_view> ids);
/// Everything of one source.
[[nodiscard]] http::Request delete_source(const Server &server, const Compiled &mapping);
/// Keys of one source in the order of ids, after the point with the id `after` (JSON; empty: from the start).
[[nodiscard]] http::Request scroll_keys(const Server &server, const Compiled &mapping, std::string_view after, std::size_t limit);
/// One point of the source, for the model that it was embedded with.
[[nodiscard]] http::Request scroll_model(const Server &server, std::string_view collection, const Compiled &mapping);

/// '{"key":"_source","match":{"value":"schema.table"}}'.
[[nodiscard]] std::string source_condition(const Compiled &mapping);

} // namespace autosync::targets::qdrant
