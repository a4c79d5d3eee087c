#include "http/secrets.hpp"

#include <string_view>

namespace autosync::http {
namespace {

constexpr std::size_t shortest_secret = 6; ///< shorter ones are words of ordinary text

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

} // namespace

std::string without_secrets(std::string text, std::initializer_list<const Access *> accesses)
{
    for (const auto *const access : accesses) {
        if (access == nullptr)
            continue;
        hide(text, access->password);
        hide(text, access->bearer_token);
        if (!access->username.empty() && access->password.size() >= shortest_secret)
            hide(text, base64(access->username + ":" + access->password));
        for (const auto &header : access->secret_headers)
            hide(text, header.second);
    }
    return text;
}

} // namespace autosync::http
