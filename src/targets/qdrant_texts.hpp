// The texts that one dialogue needs vectors of: distinct ones, from the cache or from the embedder, in pieces that it takes.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "embed/answer.hpp"
#include "targets/qdrant_point.hpp"

namespace autosync::targets::qdrant {

class Texts final {
public:
    Texts() = default;
    Texts(const Server &server, const Compiled &mapping) : server_{&server}, mapping_{&mapping} {}

    /// The slot lives until the end. One that is kept needs nothing, but counts.
    void want(const Slot &slot);
    [[nodiscard]] std::size_t skipped() const noexcept { return skipped_; }

    /// The next request; nullopt: all vectors are there.
    [[nodiscard]] std::optional<http::Request> next();
    /// What its answer means.
    [[nodiscard]] Verdict hear(const http::Response &response);
    [[nodiscard]] bool failed() const noexcept { return failed_; } ///< the verdict is final
    /// Gives slots their vectors.
    void fill(std::vector<Slot> &slots) const;
    /// What was embedded is of no use: nobody shall find it in the cache.
    void forget() const;

private:
    struct Want {
        std::string_view fingerprint;
        std::string_view text;
    };
    struct Piece {
        std::size_t begin;
        std::size_t end;
        [[nodiscard]] std::size_t size() const { return end - begin; }
    };
    void divide();
    void halve(Piece piece);
    [[nodiscard]] bool retry(Piece piece, embed::Problem::Kind kind);

    const Server *server_ = nullptr;
    const Compiled *mapping_ = nullptr;
    std::vector<Want> wants_;
    std::unordered_map<std::string_view, embed::Vector> vectors_; ///< by fingerprint; null: still to come
    std::deque<Piece> pieces_;                                    ///< the front is under way
    std::size_t divided_ = 0;                                     ///< wants that pieces were made of
    std::size_t skipped_ = 0;
    unsigned cuts_ = 0;
    unsigned timeouts_ = 0;
    bool failed_ = false;
};

} // namespace autosync::targets::qdrant
