#include "fuzz.hpp"
#include "targets/qdrant_answer.hpp"
#include "targets/qdrant_collection.hpp"
#include "targets/qdrant_held.hpp"
#include "targets/qdrant_search.hpp"

namespace autosync::fuzz {

using namespace targets;
using namespace targets::qdrant;

static mapping::Source products()
{
    using mapping::Kind;
    return {"public.products", "products", {{"id", {Kind::integer}}, {"name", {Kind::text}}}, {}, {"id"}, {}, false, {{"embed", "name"}}};
}

static void read(unsigned reader, const http::Response &response)
{
    switch (reader % 9) {
    case 0:
        if (const auto stored = read_stored(response.body))
            for (const auto &point : *stored)
                holds(!point.id.empty() && point.version >= -1);
        break;
    case 1: holds(read_update(response, reader / 9 % 4 + 1).outcome != Outcome::delivered || response.status == 200); break;
    case 2: (void)read_texts(response, "_key"); break;
    case 3: (void)read_version(response); break;
    case 4: (void)read_collection(response); break;
    case 5: (void)behind_alias(response, "products"); break;
    case 6: (void)read_model(response); break;
    case 7: (void)read_hits(response); break;
    default:
        static const auto mapping = compile_source(products());
        (void)read_point(Server{}, *mapping, {0, "1", false, {std::int64_t{1}, std::string{"a"}}, {}}, response);
    }
}

FUZZ(qdrant_answers)
{
    constexpr std::size_t longest = 900; // of a message
    Input input{bytes};
    const auto reader = input.number();
    const auto response = answer(input);
    holds(error_text(response).size() <= longest);
    const auto problem = problem_of(response, (reader & 1U) != 0 ? Asked::read : Asked::write);
    holds(!problem || problem->outcome != Outcome::delivered);
    (void)lacks_point(response);
    (void)has_wrong_size(response);
    read(reader, response);
}

} // namespace autosync::fuzz
