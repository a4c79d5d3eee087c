#include "targets/qdrant_held.hpp"

#include "config/json.hpp"
#include "targets/qdrant_answer.hpp"
#include "targets/qdrant_point.hpp"

namespace autosync::targets::qdrant {
namespace {

using config::Json;

std::string plain(Json payload)
{
    for (const auto *const name : {"_key", "_source", "_v"})
        payload.erase(name);
    return payload.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace

Held read_point(const Server &server, const Compiled &mapping, const mapping::Change &change, const http::Response &response)
{
    Held held;
    auto problem = problem_of(response, Asked::read);
    if (problem && !problem->unprepared) // without a collection there is no point
        return {std::move(*problem)};
    const auto point = make_point(server, mapping, change, 0, 0);
    if (!point.removed) {
        const auto ours = Json::parse(point.payload, nullptr, false);
        if (ours.is_discarded()) {
            held.problem.outcome = Outcome::refused;
            held.problem.message = "the row holds a number that is beyond a float64: it cannot be compared";
            return held;
        }
        held.ours = plain(ours);
    }
    held.problem.outcome = Outcome::delivered;
    if (problem)
        return held;
    const auto body = config::parse_json(response.body);
    if (!body || !body->is_object() || !body->contains("result") || !body->at("result").is_array()) {
        held.problem.outcome = Outcome::unreachable;
        held.problem.message = "an answer of another shape: is this Qdrant?";
        return held;
    }
    const auto &points = body->at("result");
    if (!points.empty() && points[0].is_object() && points[0].contains("payload") && points[0]["payload"].is_object())
        held.theirs = plain(points[0]["payload"]);
    return held;
}

} // namespace autosync::targets::qdrant
