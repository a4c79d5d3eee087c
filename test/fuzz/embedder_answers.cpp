#include "embed/answer.hpp"
#include "embed/vector.hpp"
#include "fuzz.hpp"

namespace autosync::fuzz {

FUZZ(embedder_answers)
{
    Input input{bytes};
    const std::size_t count = input.number() % 4 + 1;
    const std::size_t dimensions = input.number() % 4;
    const auto response = answer(input);
    const auto read = embed::read_answer(response, count, dimensions);
    holds(read.problem ? read.vectors.empty() : read.vectors.size() == count);
    for (const auto &vector : read.vectors) {
        // What goes on to Qdrant and into a column of vectors has to be a list of finite numbers, each of as many.
        holds(vector != nullptr);
        holds(embed::count_numbers(*vector) == read.dimensions);
        holds(dimensions == 0 || read.dimensions == dimensions);
    }
    (void)embed::read_problem(response);
}

} // namespace autosync::fuzz
