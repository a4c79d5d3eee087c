#include <nlohmann/json.hpp>

#include "delivery/excerpt.hpp"
#include "fuzz.hpp"

namespace autosync::fuzz {

/// What a server says, as it goes into tables and logs: UTF-8, short, without the secrets that it was told.
FUZZ(excerpts)
{
    Input input{bytes};
    const std::size_t limit = 3 + input.number();
    http::Access access;
    access.password = input.text();
    access.bearer_token = input.text();
    const auto said = input.text();
    const auto text = delivery::excerpt(said + access.password + said, limit, {&access});
    holds(text.size() <= limit);
    holds(text.find('\0') == std::string::npos);
    holds(nlohmann::json::accept(nlohmann::json(text).dump()));
    constexpr std::string_view shown = "\xef\xbf\xbd\xe2\x80\xa6*"; // a secret made of what we put in its place is none
    for (const auto &secret : {access.password, access.bearer_token})
        holds(secret.size() < 6 || secret.find_first_of(shown) != std::string::npos || text.find(secret) == std::string::npos);
}

} // namespace autosync::fuzz
