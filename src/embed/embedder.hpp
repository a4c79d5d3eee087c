// An OpenAI-compatible API that turns texts into vectors: how it is reached and what it takes.
#pragma once

#include <cstddef>
#include <string>

#include "http/message.hpp"

namespace autosync::embed {

struct Embedder {
    http::Access access;                       ///< with the base URL, to which '/embeddings' is appended
    std::string organization;                  ///< sent as OpenAI-Organization; empty: not sent
    std::string model;                         ///< unless a sync names its own
    unsigned dimensions = 0;                   ///< asked for; 0: the model's own
    std::size_t max_inputs = 2'048;            ///< texts in one request
    std::size_t max_tokens_per_request = 200'000; ///< as we estimate them, which is above what is counted
};

/// What embedding has cost.
struct Usage {
    std::size_t texts = 0;    ///< embedded
    std::size_t tokens = 0;   ///< as the embedder counted them
    std::size_t requests = 0; ///< to the embedder
    std::size_t skipped = 0;  ///< texts whose vector was at hand: unchanged, twice in a batch, or embedded before

    Usage &operator+=(const Usage &other)
    {
        texts += other.texts;
        tokens += other.tokens;
        requests += other.requests;
        skipped += other.skipped;
        return *this;
    }
    friend bool operator==(const Usage &, const Usage &) = default;
};

} // namespace autosync::embed
