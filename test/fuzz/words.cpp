#include "fuzz.hpp"
#include "outbox/word.hpp"

namespace autosync::fuzz {

/// Any bytes: refused, or a word that is the same when it is written again.
FUZZ(words)
{
    outbox::Word word;
    (void) outbox::speaker_of(bytes);
    if (accepts<std::runtime_error>([&] { word = outbox::read_word(bytes); }))
        holds(outbox::read_word(outbox::to_text(word)) == word);
}

} // namespace autosync::fuzz
