// Requests to an OpenAI-compatible API for embeddings, within its limits.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "embed/embedder.hpp"

namespace autosync::embed {

/// How many tokens a text has at most, about: OpenAI's tokenizers take 3 to 4 bytes of English for one, and count generously themselves.
[[nodiscard]] std::size_t estimated_tokens(std::string_view text);

/// How many of the first texts fit into one request: at least one, for a single text that is too long is for the embedder to refuse.
[[nodiscard]] std::size_t first_piece(const Embedder &embedder, std::span<const std::string_view> texts);

/// POST …/embeddings. `dimensions` 0: the model's own.
[[nodiscard]] http::Request embeddings_request(const Embedder &embedder, std::string_view model, unsigned dimensions,
                                               std::span<const std::string_view> texts);

/// The first half of a text, cut between characters; empty: there is nothing to cut.
[[nodiscard]] std::string_view first_half(std::string_view text);

} // namespace autosync::embed
