#include "config/options.hpp"
#include "fuzz.hpp"

namespace autosync::fuzz {

using namespace config;

/// Options given as JSON, and what they are when they are read again from how they are shown.
FUZZ(options)
{
    Options given;
    if (!accepts([&] { given = options_from_json(bytes); }))
        return;
    auto at = static_cast<unsigned>(bytes.size());
    for (const auto &[name, value] : given) {
        if (const auto error = check_option(kind(at), level(at / 5), name, value))
            holds(!error->message.empty());
        ++at;
    }
    (void)removal_condition(given);
    const auto shown = options_to_json(given);
    holds(options_to_json(options_from_json(shown)) == shown);
}

} // namespace autosync::fuzz
