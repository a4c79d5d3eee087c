#include "config/options.hpp"
#include "fuzz.hpp"

namespace autosync::fuzz {

using namespace config;

/// The value of any option: what the check lets through, the parsers of values read.
FUZZ(option_values)
{
    Input input{bytes};
    const auto &option = options()[input.number() % options().size()];
    const auto where = input.number();
    const auto value = input.rest();
    if (!check_option(kind(where), level(where / 5), option.name, value)) {
        switch (option.type) {
        case OptionType::boolean: (void)parse_boolean(value); break;
        case OptionType::duration: holds(parse_duration(value).count() >= 0); break;
        case OptionType::columns: holds(!parse_columns(value).empty()); break;
        case OptionType::vectors:
        case OptionType::vector: holds(!parse_vectors(value).empty()); break;
        case OptionType::url: holds(url_problem(value).empty()); break;
        default: break;
        }
    }
    (void)accepts([&] { (void)parse_boolean(value); });
    (void)accepts([&] { holds(parse_duration(value).count() >= 0); });
    (void)accepts([&] { (void)parse_columns(value); });
    (void)accepts([&] { (void)parse_vectors(value); });
    (void)accepts([&] { (void)parse_masks(value); });
}

} // namespace autosync::fuzz
