#include "config/options.hpp"
#include "fuzz.hpp"

namespace autosync::fuzz {

/// 'name=value' as a trigger has it: taken apart at the first '=', nothing of the value lost.
FUZZ(trigger_arguments)
{
    Input input{bytes};
    while (!input.empty()) {
        const auto argument = input.text();
        std::pair<std::string, std::string> parts;
        if (!accepts([&] { parts = config::split_argument(argument); }))
            continue;
        holds(!parts.first.empty() && parts.first.find('=') == std::string::npos);
        holds(argument.ends_with("=" + parts.second));
        const auto which = kind(static_cast<unsigned>(bytes.size()));
        (void)config::check_option(which, config::Level::sync, parts.first, parts.second);
        (void)config::check_target_option(which, parts.first);
    }
}

} // namespace autosync::fuzz
