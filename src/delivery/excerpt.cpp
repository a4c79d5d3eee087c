#include "delivery/excerpt.hpp"

#include <algorithm>

namespace autosync::delivery {
namespace {

constexpr std::size_t shortest_secret = 6; ///< shorter ones are words of ordinary text
constexpr std::size_t longest_secret = 8192;
constexpr std::string_view replacement = "\xef\xbf\xbd"; ///< U+FFFD
constexpr std::string_view ellipsis = "\xe2\x80\xa6";

void hide(std::string &text, const std::string &secret)
{
    constexpr std::string_view stars = "***";
    if (secret.size() < shortest_secret)
        return;
    for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + stars.size()))
        text.replace(at, secret.size(), stars);
}

std::string base64(std::string_view bytes)
{
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto piece = bytes.substr(i, 3);
        unsigned bits = 0;
        for (std::size_t k = 0; k < 3; ++k)
            bits = bits << 8 | (k < piece.size() ? static_cast<unsigned char>(piece[k]) : 0U);
        for (std::size_t k = 0; k < 4; ++k)
            text += k <= piece.size() ? digits[bits >> (18 - 6 * k) & 63] : '=';
    }
    return text;
}

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
    for (const auto *const access : accesses) {
        hide(open, access->password);
        hide(open, access->bearer_token);
        if (!access->username.empty() && access->password.size() >= shortest_secret)
            hide(open, base64(access->username + ":" + access->password));
        for (const auto &[name, value] : access->secret_headers)
            hide(open, value);
    }

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
