// What Neo4j's answers mean. They are foreign input: read with limits, never trusted to have a shape, classified by code and not by status.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "http/message.hpp"
#include "targets/neo4j_shape.hpp"
#include "targets/target.hpp"

namespace autosync::targets::neo4j {

/// Of a request that carried `sent` changes: as many must be counted as applied or as stale.
[[nodiscard]] Verdict read_verdict(const http::Response &response, std::size_t sent);
/// The texts of the only column; nullopt when this is not such an answer.
[[nodiscard]] std::optional<std::vector<std::string>> read_texts(const http::Response &response);
/// The sum of the first column of all statements; nullopt when this is not such an answer.
[[nodiscard]] std::optional<std::size_t> read_sum(const http::Response &response);
/// The only value of the only row, an object; else why there is none.
[[nodiscard]] std::optional<Verdict> read_only_value(const http::Response &response, nlohmann::json &value);
/// Of inspect_statement(); `removed`: it is to hold nothing.
[[nodiscard]] Held read_inspected(const http::Response &response, const Shape &shape, bool removed);
/// Of dbms.components().
[[nodiscard]] Probe read_components(const http::Response &response);

} // namespace autosync::targets::neo4j
