#include "targets/qdrant_texts.hpp"

#include <span>
#include <stdexcept>

#include "embed/request.hpp"

namespace autosync::targets::qdrant {
namespace {

using Kind = embed::Problem::Kind;

constexpr unsigned most_cuts = 12;    ///< of texts that are too long: to a four-thousandth
constexpr unsigned most_timeouts = 2; ///< each may have taken minutes
constexpr std::size_t few = 16;       ///< texts that every embedder manages in time

Outcome outcome_of(Kind kind)
{
    switch (kind) {
    case Kind::unauthorized:
        return Outcome::unauthorized;
    case Kind::throttled:
        return Outcome::throttled;
    case Kind::unreachable:
    case Kind::timeout:
        return Outcome::unreachable;
    case Kind::too_much:
    case Kind::refused:
        return Outcome::refused;
    }
    return Outcome::unreachable;
}

} // namespace

void Texts::want(const Slot &slot)
{
    if (slot.vector) { // asked for before this was begun anew
        vectors_.emplace(slot.fingerprint, slot.vector);
        return;
    }
    if (slot.kept || vectors_.contains(slot.fingerprint)) {
        ++skipped_;
        return;
    }
    auto known = server_->vectors ? server_->vectors->find(slot.fingerprint) : nullptr;
    if (known)
        ++skipped_;
    else
        wants_.push_back({slot.fingerprint, slot.text});
    vectors_.emplace(slot.fingerprint, std::move(known));
}

void Texts::divide()
{
    std::vector<std::string_view> texts;
    for (std::size_t at = divided_; at < wants_.size(); ++at)
        texts.push_back(wants_[at].text);
    std::span<const std::string_view> rest{texts};
    while (!rest.empty()) {
        const auto count = embed::first_piece(*server_->embedder, rest);
        pieces_.push_back({divided_, divided_ + count});
        divided_ += count;
        rest = rest.subspan(count);
    }
}

std::optional<http::Request> Texts::next()
{
    if (divided_ < wants_.size()) {
        if (!server_->embedder)
            throw std::invalid_argument{server_problem(*server_, *mapping_)};
        divide();
    }
    if (pieces_.empty())
        return std::nullopt;
    std::vector<std::string_view> texts;
    for (auto at = pieces_.front().begin; at < pieces_.front().end; ++at)
        texts.push_back(wants_[at].text);
    return embed::embeddings_request(*server_->embedder, model_of(*server_, *mapping_), dimensions_of(*server_, *mapping_), texts);
}

void Texts::halve(Piece piece)
{
    const auto middle = piece.begin + piece.size() / 2;
    pieces_.push_front({middle, piece.end});
    pieces_.push_front({piece.begin, middle});
}

/// Asks for less at once, where that may help.
bool Texts::retry(Piece piece, embed::Problem::Kind kind)
{
    const bool too_much = kind == Kind::too_much;
    const bool timeout = kind == Kind::timeout;
    if (piece.size() > 1 && (too_much || (timeout && piece.size() > few && timeouts_++ < most_timeouts))) {
        halve(piece);
        return true;
    }
    auto &text = wants_[piece.begin].text;
    if (piece.size() != 1 || !too_much || !mapping_->truncate || cuts_ == most_cuts || embed::first_half(text).empty())
        return false;
    ++cuts_;
    text = embed::first_half(text);
    pieces_.push_front(piece);
    return true;
}

Verdict Texts::hear(const http::Response &response)
{
    const auto piece = pieces_.front();
    pieces_.pop_front();
    auto answer = embed::read_answer(response, piece.size(), dimensions_of(*server_, *mapping_));
    Verdict verdict;
    verdict.usage.requests = response.failure == http::Response::Failure::connect ? 0 : 1;
    if (!answer.problem) {
        verdict.usage.texts = piece.size();
        verdict.usage.tokens = answer.tokens;
        for (std::size_t at = 0; at < piece.size(); ++at) {
            const auto &want = wants_[piece.begin + at];
            verdict.usage.tokens += answer.tokens == 0 ? embed::estimated_tokens(want.text) : 0; // some servers do not count
            if (server_->vectors)
                server_->vectors->put(want.fingerprint, answer.vectors[at]);
            vectors_[want.fingerprint] = std::move(answer.vectors[at]);
        }
        return verdict;
    }
    const auto &problem = *answer.problem;
    // A refusal of one of several texts is the delivery's to narrow down, row by row.
    if (retry(piece, problem.kind))
        return verdict;
    failed_ = true;
    verdict.outcome = outcome_of(problem.kind);
    verdict.message = problem.message;
    verdict.retry_after = problem.retry_after;
    return verdict;
}

void Texts::fill(std::vector<Slot> &slots) const
{
    for (auto &slot : slots) {
        const auto found = slot.kept ? vectors_.end() : vectors_.find(slot.fingerprint);
        if (found != vectors_.end())
            slot.vector = found->second;
    }
}

void Texts::forget() const
{
    for (const auto &[fingerprint, vector] : vectors_)
        if (server_->vectors)
            server_->vectors->forget(fingerprint);
}

} // namespace autosync::targets::qdrant
