#include "targets/qdrant_dialogue.hpp"

#include <algorithm>
#include <exception>
#include <string>
#include <unordered_map>
#include <utility>

#include "embed/request.hpp"
#include "targets/qdrant_answer.hpp"
#include "targets/qdrant_request.hpp"
#include "targets/qdrant_texts.hpp"
#include "targets/qdrant_write.hpp"

namespace autosync::targets::qdrant {
namespace {

constexpr unsigned most_restarts = 3;

http::Request ask_for(const Server &server, const Compiled &mapping, const std::vector<Point> &points)
{
    std::vector<std::string_view> ids;
    for (const auto &point : points)
        ids.push_back(point.id);
    return read_points(server, mapping.written(), ids);
}

class Conversation final : public Dialogue {
public:
    Conversation(const Server &server, const Compiled &mapping, std::vector<Point> points, std::int64_t version)
        : server_{server}, mapping_{mapping}, points_{std::move(points)}, version_{version}
    {
        for (std::size_t at = 0; at < points_.size(); ++at)
            places_.emplace(points_[at].id, at);
    }

    [[nodiscard]] Verdict hear(const http::Response &response) override
    {
        try {
            switch (stage_) {
            case Stage::reading:
                return hear_points(response);
            case Stage::embedding:
                return hear_vectors(response);
            case Stage::writing:
                return hear_write(response);
            case Stage::clearing:
                return hear_cleared(response);
            }
        } catch (const std::exception &error) {
            Verdict verdict;
            verdict.outcome = stage_ == Stage::reading || stage_ == Stage::embedding ? Outcome::unreachable : Outcome::unknown;
            verdict.message = error.what();
            return verdict;
        }
        return {};
    }

private:
    enum class Stage : std::uint8_t { reading, embedding, writing, clearing };

    Verdict hear_points(const http::Response &response)
    {
        if (auto problem = problem_of(response, Asked::read))
            return halved(std::move(*problem), response);
        auto stored = read_stored(response.body);
        Verdict verdict;
        if (!stored) {
            verdict.outcome = Outcome::unreachable;
            verdict.message = "an answer that holds no points: is this Qdrant?";
            return verdict;
        }
        std::vector<const Stored *> found(points_.size(), nullptr);
        for (const auto &point : *stored) {
            const auto place = places_.find(point.id);
            if (place == places_.end())
                continue;
            found[place->second] = &point;
            verdict.newer_version = std::max(verdict.newer_version, point.version);
        }
        if (verdict.newer_version > version_) {
            verdict.outcome = Outcome::stale;
            verdict.message = "the collection holds version " + std::to_string(verdict.newer_version);
            return verdict;
        }
        verdict.newer_version = 0;
        steps_.assign(points_.size(), {});
        texts_ = Texts{server_, mapping_};
        for (std::size_t at = 0; at < points_.size(); ++at)
            steps_[at] = step_for(points_[at], found[at]);
        verdict.usage.skipped = texts_.skipped();
        return go_on(std::move(verdict));
    }

    /// What differs from what is there.
    Step step_for(Point &point, const Stored *stored)
    {
        Step step;
        if (stored != nullptr && stored->version == version_)
            return step; // written by an earlier part of this very delivery
        if (point.removed) {
            step.kind = stored == nullptr ? Step::Kind::nothing : Step::Kind::remove;
            return step;
        }
        bool keeps = false;
        for (std::size_t at = 0; at < point.slots.size(); ++at) {
            auto &slot = point.slots[at];
            const bool known = stored != nullptr && !slot.fingerprint.empty() && hash_of(*stored, at) == slot.fingerprint;
            slot.kept = known;
            keeps = keeps || known;
            if (!slot.fingerprint.empty())
                texts_.want(slot);
        }
        step.kind = keeps ? Step::Kind::change : Step::Kind::upsert;
        for (std::size_t at = 0; keeps && at < point.slots.size(); ++at)
            if (point.slots[at].empty && (mapping_.vectors[at].given || !hash_of(*stored, at).empty()))
                step.missing.push_back(at);
        return step;
    }

    std::string_view hash_of(const Stored &stored, std::size_t at) const
    {
        const auto &name = mapping_.vectors[at].name;
        if (name.empty())
            return stored.hash;
        const auto found = std::ranges::find(stored.hashes, name, &std::pair<std::string, std::string>::first);
        return found == stored.hashes.end() ? std::string_view{} : std::string_view{found->second};
    }

    Verdict hear_vectors(const http::Response &response)
    {
        auto verdict = texts_.hear(response);
        return texts_.failed() ? verdict : go_on(std::move(verdict));
    }

    /// The next request, whatever it is; `verdict` carries the usage.
    Verdict go_on(Verdict verdict)
    {
        if (auto request = texts_.next()) {
            stage_ = Stage::embedding;
            verdict.follow_up = std::move(request);
            return verdict;
        }
        if (stage_ != Stage::writing)
            for (auto &point : points_)
                texts_.fill(point.slots);
        stage_ = Stage::writing;
        auto write = write_points(server_, mapping_, points_, steps_, next_, most_bytes);
        if (write.operations > 0) {
            operations_ = write.operations;
            verdict.follow_up = std::move(write.request);
            return verdict;
        }
        return clear(std::move(verdict));
    }

    Verdict hear_write(const http::Response &response)
    {
        if (lacks_point(response) && restarts_ < most_restarts) {
            ++restarts_;
            next_ = 0;
            stage_ = Stage::reading;
            Verdict verdict;
            verdict.follow_up = ask_for(server_, mapping_, points_);
            return verdict;
        }
        auto verdict = read_update(response, operations_);
        if (has_wrong_size(response) && std::ranges::none_of(mapping_.vectors, &VectorSpec::given)) {
            verdict.outcome = Outcome::unreachable; // every row of this source would be refused
            verdict.unprepared = true;
            texts_.forget(); // an embedder that answered wrongly once would be wrong for ever
        }
        return verdict.outcome == Outcome::delivered ? go_on({}) : verdict;
    }

    /// While a new collection is filled, searches still ask the old one: what is gone must not be found there.
    Verdict clear(Verdict verdict)
    {
        std::vector<std::string_view> removed;
        if (!mapping_.rebuild.empty() && stage_ != Stage::clearing)
            for (const auto &point : points_)
                if (point.removed)
                    removed.push_back(point.id);
        stage_ = Stage::clearing;
        if (removed.empty())
            verdict.outcome = Outcome::delivered;
        else
            verdict.follow_up = delete_points(server_, mapping_.collection, removed);
        return verdict;
    }

    Verdict hear_cleared(const http::Response &response) const
    {
        auto verdict = read_update(response, 1);
        if (verdict.unprepared) {
            verdict = {};
            verdict.outcome = Outcome::delivered; // the old collection is gone with all that it held
        }
        return verdict;
    }

    /// An answer that does not come in time may come for fewer points.
    Verdict halved(Verdict verdict, const http::Response &response) const
    {
        if (response.failure == http::Response::Failure::timeout || response.failure == http::Response::Failure::too_large)
            verdict.halve = points_.size() > most_points / 8;
        return verdict;
    }

    const Server &server_;
    const Compiled &mapping_;
    std::vector<Point> points_;
    std::int64_t version_;
    std::unordered_map<std::string_view, std::size_t> places_; ///< by id
    Stage stage_ = Stage::reading;
    std::vector<Step> steps_;
    Texts texts_;
    std::size_t next_ = 0;       ///< point to be written
    std::size_t operations_ = 0; ///< of the write under way
    unsigned restarts_ = 0;
};

} // namespace

Planned begin_dialogue(const Server &server, const Compiled &mapping, std::vector<Point> points, std::int64_t version)
{
    Planned planned;
    planned.request = ask_for(server, mapping, points);
    for (const auto &point : points)
        planned.changes.push_back(point.change);
    planned.dialogue = std::make_shared<Conversation>(server, mapping, std::move(points), version);
    return planned;
}

std::vector<Planned> preview_point(const Server &server, const Compiled &mapping, Point point)
{
    std::vector<Planned> planned;
    std::vector<std::string_view> texts;
    static const std::string elided = R"("…")";
    for (auto &slot : point.slots) {
        if (slot.text.empty())
            continue;
        texts.push_back(slot.text);
        slot.vector = std::make_shared<const std::string>(elided);
    }
    if (!texts.empty() && server.embedder)
        planned.push_back(
            {embed::embeddings_request(*server.embedder, model_of(server, mapping), dimensions_of(server, mapping), texts), {}, nullptr});
    const std::size_t change = point.change;
    std::vector<Step> steps(1);
    steps.front().kind = point.removed ? Step::Kind::remove : Step::Kind::upsert;
    std::size_t next = 0;
    planned.push_back({write_points(server, mapping, {&point, 1}, steps, next, most_bytes).request, {change}, nullptr});
    return planned;
}

} // namespace autosync::targets::qdrant
