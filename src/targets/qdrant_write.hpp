// Points -> one request of several operations, which Qdrant does one after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "targets/qdrant_point.hpp"

namespace autosync::targets::qdrant {

/// What has to be done about a point.
struct Step {
    enum class Kind : std::uint8_t {
        nothing,
        upsert, ///< whole, in one operation
        change, ///< payload, and those named vectors that differ
        remove
    };
    Kind kind = Kind::nothing;
    std::vector<std::size_t> missing; ///< of a change: vectors that the row has no more
};

struct Write {
    http::Request request;
    std::size_t operations = 0; ///< 0: there is nothing to write
};

/// The steps from `next` on, as many as fit into about `most` bytes; moves `next` behind them.
[[nodiscard]] Write write_points(const Server &server, const Compiled &mapping, std::span<const Point> points, std::span<const Step> steps,
                                 std::size_t &next, std::size_t most);

} // namespace autosync::targets::qdrant
