#include "fuzz.hpp"
#include "mapping/identity.hpp"
#include "mapping/key.hpp"

namespace autosync::fuzz {

using namespace mapping;

/// Keys as users write them, and as they are written: one text for one key, and back.
FUZZ(keys)
{
    static const std::vector<std::string> names{"playlist_id", "na\"me"};
    static const std::vector<KeyPart> parts{{"playlist_id", false}, {"na\"me", false}};
    std::vector<std::string> columns;
    if (accepts([&] { columns = read_key(bytes, names); })) {
        holds(columns.size() == names.size());
        holds(read_key(key_text(parts, columns), names) == columns);
    }
    std::vector<std::string> texts;
    if (accepts([&] { texts = texts_from_json(bytes); }))
        holds(texts_from_json(texts_to_json(texts)) == texts);
    // Any bytes are a text.
    Input input{bytes};
    const std::vector<std::string> any{input.text(), input.text(), std::string{input.rest()}};
    holds(texts_from_json(texts_to_json(any)) == any);
}

} // namespace autosync::fuzz
