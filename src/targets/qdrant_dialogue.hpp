// One request's worth of changes: what is there? — embed what is new — write.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "targets/qdrant_point.hpp"

namespace autosync::targets::qdrant {

inline constexpr std::size_t most_points = 500;
inline constexpr std::size_t most_bytes = 16U << 20U; ///< of the 32 MB that Qdrant takes

/// Of one source. Server and mapping are borrowed, as for a delivery.
[[nodiscard]] Planned begin_dialogue(const Server &server, const Compiled &mapping, std::vector<Point> points, std::int64_t version);

/// Without asking what is there: the request to the embedder, if one is needed, and the write, in which vectors that are yet to come are '…'.
[[nodiscard]] std::vector<Planned> preview_point(const Server &server, const Compiled &mapping, Point point);

} // namespace autosync::targets::qdrant
