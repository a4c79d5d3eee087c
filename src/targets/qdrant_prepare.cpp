#include "targets/qdrant_prepare.hpp"

#include <array>
#include <deque>
#include <exception>
#include <optional>
#include <utility>

#include "embed/answer.hpp"
#include "embed/request.hpp"
#include "mapping/json.hpp"
#include "targets/qdrant_answer.hpp"
#include "targets/qdrant_collection.hpp"
#include "targets/qdrant_request.hpp"

namespace autosync::targets::qdrant {
namespace {

namespace json = mapping::json;

Verdict verdict_of(Outcome outcome, std::string message)
{
    Verdict verdict;
    verdict.outcome = outcome;
    verdict.message = std::move(message);
    return verdict;
}

Verdict refused(std::string message) { return verdict_of(Outcome::refused, std::move(message)); }

class Preparation final : public Dialogue {
public:
    Preparation(const Server &server, const Compiled &mapping)
        : server_{server}, mapping_{mapping}, name_{mapping.written()}, size_{dimensions_of(server, mapping)}
    {
        stage_ = mapping.rebuild.empty() ? Stage::aliases : Stage::looking;
        for (const auto &index : mapping.indexes)
            indexes_.push_back(index);
        indexes_.emplace_front("_source", "keyword"); // of every question that is about one source
    }

    [[nodiscard]] http::Request first() const
    {
        return stage_ == Stage::aliases ? request_of(server_, "GET", "/aliases") : request_of(server_, "GET", collection_path(name_));
    }

    [[nodiscard]] Verdict hear(const http::Response &response) override
    {
        try {
            switch (stage_) {
            case Stage::aliases:
                return hear_aliases(response);
            case Stage::looking:
                return hear_collection(response);
            case Stage::measuring:
                return hear_size(response);
            case Stage::creating:
                return hear_created(response);
            case Stage::naming:
                return hear_named(response);
            case Stage::checking:
                return hear_model(response);
            case Stage::indexing:
                return hear_indexed(response);
            }
        } catch (const std::exception &error) {
            return verdict_of(Outcome::unreachable, error.what());
        }
        return {};
    }

private:
    enum class Stage : std::uint8_t { aliases, looking, measuring, creating, naming, checking, indexing };

    Verdict ask(Stage stage, http::Request request)
    {
        stage_ = stage;
        Verdict verdict;
        verdict.follow_up = std::move(request);
        return verdict;
    }
    Verdict look() { return ask(Stage::looking, request_of(server_, "GET", collection_path(name_))); }

    Verdict hear_aliases(const http::Response &response)
    {
        if (auto problem = problem_of(response, Asked::read))
            return std::move(*problem);
        name_ = behind_alias(response, mapping_.collection);
        return name_.empty() ? verdict_of(Outcome::unreachable, "an answer without aliases: is this Qdrant?") : look();
    }

    Verdict hear_collection(const http::Response &response)
    {
        if (response.failure == http::Response::Failure::none && response.status == 404)
            return create();
        if (auto problem = problem_of(response, Asked::read))
            return std::move(*problem);
        const auto vectors = read_collection(response);
        if (!vectors)
            return verdict_of(Outcome::unreachable, "an answer that describes no collection: is this Qdrant?");
        for (const auto &spec : mapping_.vectors) {
            const auto found = vectors->find(spec.name);
            if (found == vectors->end())
                return refused(in_collection() + (spec.name.empty() ? "has no unnamed vector" : "has no vector \"" + spec.name + '"') + remedy());
            if (const auto wrong = misfit(found->second, size_); !wrong.empty())
                return refused(wrong);
            if (!spec.given)
                found_ = found->second;
        }
        if (mapping_.embeds())
            return ask(Stage::checking, scroll_model(server_, name_, mapping_));
        return index();
    }

    std::string in_collection() const { return "collection \"" + name_ + "\" "; }
    std::string remedy() const
    {
        return ": autosync.rebuild('" + mapping_.source + "', '" + server_.name + "') fills a new collection and puts it in this one's place";
    }
    std::string misfit(const VectorParams &found, std::size_t size) const
    {
        const auto distance = distance_of(server_);
        if ((size == 0 || found.size == size) && found.distance == distance)
            return "";
        return in_collection() + "is for vectors of " + std::to_string(found.size) + " dimensions and distance " + found.distance + ", not of " +
               std::to_string(size == 0 ? found.size : size) + " and " + distance + remedy();
    }

    /// The model tells whether what is there was embedded as what will come.
    Verdict hear_model(const http::Response &response)
    {
        if (auto problem = problem_of(response, Asked::read))
            return std::move(*problem);
        const auto models = read_texts(response, "_model");
        const auto model = model_of(server_, mapping_);
        if (models && !models->empty()) {
            if (models->front() != model)
                return refused(in_collection() + "holds embeddings of model \"" + models->front() + "\", the sync declares \"" + model + '"' +
                               remedy());
            return index();
        }
        return size_ == 0 ? measure() : index();
    }

    Verdict measure()
    {
        if (const auto problem = server_problem(server_, mapping_); !problem.empty())
            return refused(problem);
        constexpr std::array<std::string_view, 1> probe{"dimensions"};
        return ask(Stage::measuring, embed::embeddings_request(*server_.embedder, model_of(server_, mapping_), 0, probe));
    }
    Verdict hear_size(const http::Response &response)
    {
        const auto answer = embed::read_answer(response, 1, 0);
        Verdict verdict;
        verdict.usage.requests = 1;
        verdict.usage.tokens = answer.tokens;
        if (answer.problem) {
            using Kind = embed::Problem::Kind;
            const auto kind = answer.problem->kind;
            verdict.outcome = kind == Kind::unauthorized ? Outcome::unauthorized
                              : kind == Kind::throttled  ? Outcome::throttled
                                                         : Outcome::unreachable;
            verdict.message = answer.problem->message;
            verdict.retry_after = answer.problem->retry_after;
            return verdict;
        }
        size_ = answer.dimensions;
        const auto wrong = found_ ? misfit(*found_, size_) : "";
        auto next = !wrong.empty() ? refused(wrong) : found_ ? index() : create();
        next.usage = verdict.usage;
        return next;
    }

    Verdict create()
    {
        if (created_)
            return verdict_of(Outcome::unreachable, in_collection() + "is not there although it was created");
        if (const auto problem = server_problem(server_, mapping_); !problem.empty())
            return refused(problem);
        if (size_ == 0) {
            for (const auto &spec : mapping_.vectors)
                if (spec.given)
                    return refused(in_collection() + "does not exist, and nothing says of which size its vectors are: set option \"dimensions\"");
            return measure();
        }
        if (mapping_.rebuild.empty() && name_ == mapping_.collection)
            name_ += "_1";
        std::string params = R"({"size":)" + std::to_string(size_) + R"(,"distance":)";
        json::append_string(params, distance_of(server_));
        params += '}';
        std::string body = R"({"vectors":)";
        if (mapping_.named()) {
            body += '{';
            for (const auto &spec : mapping_.vectors)
                body += (body.back() == '{' ? "" : ",") + spec.json_name + ':' + params;
            body += '}';
        } else {
            body += params;
        }
        return ask(Stage::creating, request_of(server_, "PUT", collection_path(name_), body + '}'));
    }
    Verdict hear_created(const http::Response &response)
    {
        const bool exists = response.failure == http::Response::Failure::none && response.status == 409;
        auto problem = problem_of(response, Asked::read);
        if (problem && !exists)
            return std::move(*problem);
        created_ = true;
        if (!mapping_.rebuild.empty())
            return look();
        std::string body = R"({"actions":[{"create_alias":{"collection_name":)";
        json::append_string(body, name_);
        body += R"(,"alias_name":)";
        json::append_string(body, mapping_.collection);
        return ask(Stage::naming, request_of(server_, "POST", "/collections/aliases", body + "}}]}"));
    }
    Verdict hear_named(const http::Response &response)
    {
        if (auto problem = problem_of(response, Asked::read))
            return std::move(*problem);
        return look();
    }

    Verdict index()
    {
        if (indexes_.empty())
            return verdict_of(Outcome::delivered, "");
        std::string body = R"({"field_name":)";
        json::append_string(body, indexes_.front().first);
        body += R"(,"field_schema":)";
        json::append_string(body, indexes_.front().second);
        indexes_.pop_front();
        return ask(Stage::indexing, request_of(server_, "PUT", collection_path(name_, "/index?wait=true"), body + '}'));
    }
    Verdict hear_indexed(const http::Response &response)
    {
        auto verdict = read_update(response, 1);
        if (verdict.outcome == Outcome::unknown)
            verdict.outcome = Outcome::unreachable; // asked for anew
        return verdict.outcome == Outcome::delivered ? index() : verdict;
    }

    const Server &server_;
    const Compiled &mapping_;
    Stage stage_ = Stage::aliases;
    std::string name_;                  ///< of the collection itself
    std::size_t size_;                  ///< of its vectors; 0: not known yet
    std::optional<VectorParams> found_; ///< what it is for
    bool created_ = false;
    std::deque<std::pair<std::string, std::string>> indexes_;
};

} // namespace

Planned begin_preparation(const Server &server, const Compiled &mapping)
{
    auto dialogue = std::make_shared<Preparation>(server, mapping);
    auto request = dialogue->first();
    return {std::move(request), {}, std::move(dialogue)};
}

} // namespace autosync::targets::qdrant
