#include "delivery/excerpt.hpp"

#include <algorithm>
#include <utility>

#include "http/secrets.hpp"

namespace autosync::delivery {
namespace {

constexpr std::size_t longest_secret = 8192;
constexpr std::string_view replacement = "\xef\xbf\xbd"; ///< U+FFFD
constexpr std::string_view ellipsis = "\xe2\x80\xa6";

bool continues(unsigned char byte) { return (byte & 0xc0U) == 0x80U; }

/// Length of the well-formed character at the start of `text`; 0: there is none.
std::size_t character(std::string_view text)
{
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto first = byte(0);
    if (first < 0x80)
        return first == 0 ? 0 : 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length)
        return 0;
    for (std::size_t i = 1; i < length; ++i)
        if (!continues(byte(i)))
            return 0;
    const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
    const bool outside = (first == 0xed && byte(1) > 0x9f) || (first == 0xf4 && byte(1) > 0x8f);
    return overlong || outside ? 0 : length;
}

} // namespace

std::string excerpt(std::string_view text, std::size_t limit, std::initializer_list<const http::Access *> accesses)
{
    // Hidden before it is cut, so that no half of a secret is left at the end.
    const bool cut = text.size() > limit + longest_secret;
    std::string open{text.substr(0, limit + longest_secret)};
    open = http::without_secrets(std::move(open), accesses);

    std::string result;
    for (std::string_view rest = open; !rest.empty();) {
        const auto length = character(rest);
        const auto piece = length == 0 ? replacement : rest.substr(0, length);
        const auto reserve = rest.size() > std::max<std::size_t>(length, 1) || cut ? ellipsis.size() : 0;
        if (result.size() + piece.size() + reserve > limit)
            return result.append(ellipsis);
        result.append(piece);
        rest.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return result;
}

} // namespace autosync::delivery
