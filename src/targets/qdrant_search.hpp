// Searching a collection by meaning, from SQL: embed the query with the model that the points have, then ask for the nearest.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "embed/answer.hpp"
#include "targets/qdrant_mapping.hpp"

namespace autosync::targets::qdrant {

/// A reply to read: what it says, or why it says nothing.
template <class Value> struct Reply {
    Value value{};
    Verdict problem; ///< Outcome::delivered: there is none
};

/// 1. Which model the collection behind the alias holds: after a change of model it is another than declared until the rebuild is over.
[[nodiscard]] http::Request model_request(const Server &server, const Compiled &mapping);
/// Empty: there is no point to tell; the declared one will do. A missing collection is a problem that is `unprepared`.
[[nodiscard]] Reply<std::string> read_model(const http::Response &response);

/// 2. The query's vector. Read by embed::read_answer(response, 1, 0).
[[nodiscard]] http::Request query_embedding(const Server &server, const Compiled &mapping, std::string_view model, std::string_view query);

/// 3. The nearest points of this source. `filter`: a filter of Qdrant's as JSON object, or empty.
[[nodiscard]] http::Request search_request(const Server &server, const Compiled &mapping, std::string_view vector, std::size_t limit,
                                           std::string_view filter);
struct Hit {
    std::string key;
    double score = 0;
};
/// The best first. A filter that Qdrant does not take is Outcome::refused with what it says.
[[nodiscard]] Reply<std::vector<Hit>> read_hits(const http::Response &response);

} // namespace autosync::targets::qdrant
