#include "atproto/blob.hpp"
#include "atproto/syntax.hpp"
#include "atproto/tid.hpp"
#include "fuzz.hpp"

namespace autosync::fuzz {

using namespace autosync::atproto;

/// Names of the AT Protocol go into URLs and paths as they are.
FUZZ(at_syntax)
{
    constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:~%";
    const bool harmless = bytes.find_first_not_of(plain) == std::string_view::npos;
    holds(!is_nsid(bytes) || (harmless && bytes.size() <= 317));
    holds(!is_did(bytes) || (harmless && bytes.size() <= 2'048));
    holds(!is_handle(bytes) || (harmless && bytes.size() <= 253));
    holds(!is_rkey(bytes) || (harmless && bytes != "." && bytes != ".." && bytes.size() <= 512));
    holds(!is_tid(bytes) || is_rkey(bytes));
    (void)is_datetime(bytes);
    (void)content_type_of(bytes);
    Place place;
    if (accepts([&] { place = parse_place(bytes); }))
        holds(!place.empty());
}

} // namespace autosync::fuzz
