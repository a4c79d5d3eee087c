#include "targets/qdrant_search.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <simdjson.h>

#include "embed/request.hpp"
#include "targets/qdrant_answer.hpp"
#include "targets/qdrant_request.hpp"

namespace autosync::targets::qdrant {
namespace {

namespace ondemand = simdjson::ondemand;

template <class Value> Reply<Value> failed(Verdict problem) { return {{}, std::move(problem)}; }

template <class Value> Reply<Value> strange()
{
    Verdict verdict;
    verdict.outcome = Outcome::unreachable;
    verdict.message = "an answer of another shape: is this Qdrant?";
    return failed<Value>(std::move(verdict));
}

template <class Value> Reply<Value> found(Value value)
{
    Reply<Value> reply{std::move(value), {}};
    reply.problem.outcome = Outcome::delivered;
    return reply;
}

} // namespace

http::Request model_request(const Server &server, const Compiled &mapping) { return scroll_model(server, mapping.collection, mapping); }

Reply<std::string> read_model(const http::Response &response)
{
    if (auto problem = problem_of(response, Asked::read))
        return failed<std::string>(std::move(*problem));
    auto models = read_texts(response, "_model");
    if (!models)
        return strange<std::string>();
    return found(models->empty() ? std::string{} : std::move(models->front()));
}

http::Request query_embedding(const Server &server, const Compiled &mapping, std::string_view model, std::string_view query)
{
    const std::array<std::string_view, 1> texts{query};
    const auto declared = model_of(server, mapping);
    // A former model had dimensions of its own: what is declared now was never asked of it.
    const auto dimensions = model.empty() || model == declared ? dimensions_of(server, mapping) : 0;
    return embed::embeddings_request(server.embedder.value_or(embed::Embedder{}), model.empty() ? std::string_view{declared} : model, dimensions,
                                     texts);
}

http::Request search_request(const Server &server, const Compiled &mapping, std::string_view vector, std::size_t limit, std::string_view filter)
{
    std::string body = R"({"query":)";
    body += vector;
    body += R"(,"limit":)" + std::to_string(limit) + R"(,"with_payload":{"include":["_key"]},"with_vector":false,"filter":{"must":[)";
    body += source_condition(mapping);
    if (!filter.empty())
        (body += ',') += filter;
    body += "]}";
    const auto embedded = std::ranges::find(mapping.vectors, false, &VectorSpec::given);
    if (mapping.named() && embedded != mapping.vectors.end())
        (body += R"(,"using":)") += embedded->json_name;
    return request_of(server, "POST", collection_path(mapping.collection, "/points/query"), body + '}');
}

Reply<std::vector<Hit>> read_hits(const http::Response &response)
{
    using Hits = std::vector<Hit>;
    if (auto problem = problem_of(response, Asked::read))
        return failed<Hits>(std::move(*problem));
    Hits hits;
    ondemand::parser parser;
    const simdjson::padded_string padded{response.body};
    ondemand::document document;
    ondemand::object result;
    ondemand::array points;
    if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
        document.find_field_unordered("result").get_object().get(result) != simdjson::SUCCESS ||
        result.find_field_unordered("points").get_array().get(points) != simdjson::SUCCESS)
        return strange<Hits>();
    for (auto item : points) {
        ondemand::object point;
        Hit hit;
        std::string_view key;
        if (item.get_object().get(point) != simdjson::SUCCESS || point.find_field_unordered("score").get_double().get(hit.score) != simdjson::SUCCESS)
            return strange<Hits>();
        if (point.find_field_unordered("payload").find_field_unordered("_key").get_string().get(key) != simdjson::SUCCESS)
            continue;
        hit.key = key;
        hits.push_back(std::move(hit));
    }
    return found(std::move(hits));
}

} // namespace autosync::targets::qdrant
