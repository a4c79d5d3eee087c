// The embedder of a target: a server of autosync_openai, or one named by the target itself.
#pragma once

#include <optional>

#include "config/connection.hpp"
#include "embed/embedder.hpp"

namespace autosync::config {

inline constexpr const char *embedder_kind = "openai";

/// What turns texts into vectors for this target, with the mapping and the privileges of `user`; nullopt: it names none. A problem is
/// noted in `target`.
[[nodiscard]] std::optional<embed::Embedder> load_embedder(Connection &target, Oid user);
/// A server of autosync_openai by itself. A problem is noted in it.
[[nodiscard]] embed::Embedder embedder_of(Connection &server);

} // namespace autosync::config
