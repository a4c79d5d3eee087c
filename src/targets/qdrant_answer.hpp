// What Qdrant's answers mean. They are foreign input: read with limits, never trusted to have a shape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "targets/target.hpp"

namespace autosync::targets::qdrant {

/// What was asked: a failure leaves a write in doubt, and a reader with nothing.
enum class Asked : std::uint8_t { read, write };

/// Why there is no result; nullopt: there is one. What prepare() made and is not there is Outcome::unreachable with `unprepared`.
[[nodiscard]] std::optional<Verdict> problem_of(const http::Response &response, Asked asked);

/// A point as it is remembered at the target.
struct Stored {
    std::string id;                                          ///< JSON, as we write it
    std::int64_t version = -1;                               ///< -1: none of ours
    std::string hash;                                        ///< of the unnamed vector
    std::vector<std::pair<std::string, std::string>> hashes; ///< of named ones
};
/// nullopt: not an answer to read_points.
[[nodiscard]] std::optional<std::vector<Stored>> read_stored(std::string_view body);

/// Of an update: delivered only when each of its `operations` says that it is completed.
[[nodiscard]] Verdict read_update(const http::Response &response, std::size_t operations);
/// A point that is to be changed is gone: not a matter of the collection.
[[nodiscard]] bool lacks_point(const http::Response &response);
/// The vectors are not of the size that the collection is made for.
[[nodiscard]] bool has_wrong_size(const http::Response &response);

/// A member of the payloads of scrolled points. nullopt: not such an answer.
[[nodiscard]] std::optional<std::vector<std::string>> read_texts(const http::Response &response, std::string_view member);
/// Of GET /.
[[nodiscard]] Probe read_version(const http::Response &response);
/// What the server says in an error, for people.
[[nodiscard]] std::string error_text(const http::Response &response);

} // namespace autosync::targets::qdrant
