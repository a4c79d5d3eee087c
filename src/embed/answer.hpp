// What an embedder's answer means. It is foreign input: read with limits, never trusted to have a shape.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "embed/cache.hpp"
#include "http/message.hpp"

namespace autosync::embed {

/// Why there are no vectors.
struct Problem {
    enum class Kind : std::uint8_t {
        unauthorized, ///< credentials, quota, no such model: nothing gets better by asking again
        throttled,
        unreachable, ///< also an answer that is none
        timeout,
        too_much, ///< too many texts or tokens at once, or one text that is too long
        refused   ///< one of the texts
    };
    Kind kind = Kind::unreachable;
    std::string message;
    std::optional<std::chrono::seconds> retry_after;
};

struct Answer {
    std::vector<Vector> vectors; ///< in the order of the texts
    std::size_t dimensions = 0;  ///< of each of them
    std::size_t tokens = 0;      ///< as the embedder counted them; 0: it does not say
    std::optional<Problem> problem;
};

/// Of a request with `count` texts. `dimensions`: what was asked for; 0: all vectors have the same, whatever it is.
[[nodiscard]] Answer read_answer(const http::Response &response, std::size_t count, std::size_t dimensions);

/// By status and error body: answers that hold no vectors.
[[nodiscard]] Problem read_problem(const http::Response &response);

} // namespace autosync::embed
