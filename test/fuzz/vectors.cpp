#include "embed/vector.hpp"
#include "fuzz.hpp"

namespace autosync::fuzz {

FUZZ(vectors)
{
    (void)embed::count_numbers(bytes);
    if (const auto decoded = embed::from_base64(bytes))
        holds(embed::count_numbers(decoded->text) == decoded->dimensions);
}

} // namespace autosync::fuzz
