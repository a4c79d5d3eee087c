#include <nlohmann/json.hpp>

#include "fuzz.hpp"
#include "targets/neo4j_answer.hpp"

namespace autosync::fuzz {

using namespace targets;
using namespace targets::neo4j;

FUZZ(neo4j_answers)
{
    constexpr std::size_t longest = 1'000; // of a message
    Input input{bytes};
    const std::size_t sent = input.number() % 4;
    const auto response = answer(input);
    const auto verdict = read_verdict(response, sent);
    holds(verdict.message.size() <= longest);
    holds(verdict.outcome != Outcome::delivered || (response.status >= 200 && response.status < 300));
    holds(verdict.outcome != Outcome::stale || verdict.newer_version > 0);
    (void)read_texts(response);
    (void)read_sum(response);
    nlohmann::json value;
    holds(read_only_value(response, value) || value.is_object());
    holds(read_components(response).outcome != Outcome::delivered || !read_components(response).version.empty());
    static const Shape shape = [] {
        mapping::Source source{"public.orders", "orders", {{"id", {mapping::Kind::integer}}}, {}, {"id"}, {}, false, {}};
        return read_shape(source);
    }();
    (void)read_inspected(response, shape, input.flag());
}

} // namespace autosync::fuzz
