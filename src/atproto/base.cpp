#include "atproto/base.hpp"

#include <cstddef>
#include <cstdint>

namespace autosync::atproto {
namespace {

constexpr std::string_view base32 = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::string_view base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode(std::string_view bytes, std::string_view alphabet, unsigned bits)
{
    std::string text;
    text.reserve(bytes.size() * 8 / bits + 1);
    std::uint32_t held = 0;
    unsigned count = 0;
    for (const char c : bytes) {
        held = held << 8U | static_cast<unsigned char>(c);
        for (count += 8; count >= bits; count -= bits)
            text += alphabet[held >> (count - bits) & ((1U << bits) - 1)];
        held &= (1U << count) - 1;
    }
    if (count > 0)
        text += alphabet[held << (bits - count) & ((1U << bits) - 1)];
    return text;
}

/// Bits that are left over must be zero, and fewer than a digit's.
std::optional<std::string> decode(std::string_view text, std::string_view alphabet, unsigned bits)
{
    std::string bytes;
    bytes.reserve(text.size() * bits / 8);
    std::uint32_t held = 0;
    unsigned count = 0;
    for (const char c : text) {
        const auto digit = alphabet.find(c);
        if (digit == std::string_view::npos)
            return std::nullopt;
        held = held << bits | static_cast<std::uint32_t>(digit);
        count += bits;
        if (count >= 8) {
            count -= 8;
            bytes += static_cast<char>(held >> count & 0xFFU);
            held &= (1U << count) - 1;
        }
    }
    if (count >= bits || held != 0)
        return std::nullopt;
    return bytes;
}

} // namespace

std::string to_base32(std::string_view bytes) { return encode(bytes, base32, 5); }
std::optional<std::string> from_base32(std::string_view text) { return decode(text, base32, 5); }
std::string to_base64url(std::string_view bytes) { return encode(bytes, base64url, 6); }
std::optional<std::string> from_base64url(std::string_view text) { return decode(text, base64url, 6); }
std::string to_base64(std::string_view bytes) { return encode(bytes, base64, 6); }

std::optional<std::string> from_base64(std::string_view text)
{
    if (text.ends_with('=')) {
        if (text.size() % 4 != 0)
            return std::nullopt;
        text.remove_suffix(text.ends_with("==") ? 2 : 1);
    }
    return decode(text, base64, 6);
}

} // namespace autosync::atproto
