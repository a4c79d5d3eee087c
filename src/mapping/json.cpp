#include "mapping/json.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstring>

namespace autosync::mapping::json {
namespace {

constexpr std::uint64_t ones = 0x0101010101010101U;
constexpr std::uint64_t highs = 0x8080808080808080U;

/// The high bit of every byte that needs a look: control characters, '"', '\\', and all above ASCII. Exact up to the first such byte.
std::uint64_t special_bytes(std::uint64_t word)
{
    const std::uint64_t control = word - ones * 0x20;
    const std::uint64_t quote = (word ^ ones * '"') - ones;
    const std::uint64_t backslash = (word ^ ones * '\\') - ones;
    return ((control | quote | backslash) & ~word & highs) | (word & highs);
}

/// How many of `text`'s first bytes can be copied as they are.
std::size_t plain_length(std::string_view text)
{
    std::size_t at = 0;
    if constexpr (std::endian::native == std::endian::little) {
        for (; at + sizeof(std::uint64_t) <= text.size(); at += sizeof(std::uint64_t)) {
            std::uint64_t word = 0;
            std::memcpy(&word, text.data() + at, sizeof word);
            if (const std::uint64_t special = special_bytes(word); special != 0)
                return at + static_cast<std::size_t>(std::countr_zero(special)) / 8;
        }
    }
    const auto special = [](unsigned char byte) { return byte < 0x20 || byte == '"' || byte == '\\' || byte >= 0x80; };
    while (at < text.size() && !special(static_cast<unsigned char>(text[at])))
        ++at;
    return at;
}

/// Length of the well-formed UTF-8 sequence at the start, 0 if there is none (overlong, surrogate, cut off, beyond U+10FFFF).
std::size_t sequence_length(std::string_view text)
{
    const auto byte = [&](std::size_t at) -> unsigned { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
    const auto follows = [&](std::size_t at) { return (byte(at) & 0xC0U) == 0x80U; };
    const unsigned first = byte(0);
    if (first >= 0xC2 && first <= 0xDF)
        return follows(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        const bool in_range = (first != 0xE0 || byte(1) >= 0xA0) && (first != 0xED || byte(1) < 0xA0);
        return in_range && follows(1) && follows(2) ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const bool in_range = (first != 0xF0 || byte(1) >= 0x90) && (first != 0xF4 || byte(1) < 0x90);
        return in_range && follows(1) && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

void append_escaped(std::string &out, unsigned char byte)
{
    constexpr std::string_view hex = "0123456789abcdef";
    switch (byte) {
    case '"':
        out += "\\\"";
        break;
    case '\\':
        out += "\\\\";
        break;
    case '\n':
        out += "\\n";
        break;
    case '\r':
        out += "\\r";
        break;
    case '\t':
        out += "\\t";
        break;
    default:
        out += "\\u00";
        out += hex[byte >> 4U];
        out += hex[byte & 15U];
    }
}

} // namespace

void append_string(std::string &out, std::string_view text)
{
    out += '"';
    while (!text.empty()) {
        std::size_t plain = plain_length(text);
        std::size_t sequence = 0;
        while (plain < text.size() && (sequence = sequence_length(text.substr(plain))) != 0) {
            plain += sequence;
            plain += plain_length(text.substr(plain));
        }
        out.append(text.substr(0, plain));
        text.remove_prefix(plain);
        if (text.empty())
            break;
        const auto byte = static_cast<unsigned char>(text.front());
        if (byte >= 0x80)
            out += "\xEF\xBF\xBD";
        else
            append_escaped(out, byte);
        text.remove_prefix(1);
    }
    out += '"';
}

void append_integer(std::string &out, std::int64_t value)
{
    std::array<char, 24> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
    out.append(buffer.data(), end);
}

void append_real(std::string &out, double value)
{
    if (!std::isfinite(value)) {
        out += std::isnan(value) ? R"("NaN")" : value > 0 ? R"("Infinity")" : R"("-Infinity")";
        return;
    }
    std::array<char, 32> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
    const std::string_view text{buffer.data(), static_cast<std::size_t>(end - buffer.data())};
    out += text;
    if (text.find_first_of(".e") == std::string_view::npos)
        out += ".0";
}

void append_decimal(std::string &out, std::string_view text)
{
    if (is_number(text))
        out += text;
    else
        append_string(out, text);
}

void append_base64(std::string &out, std::string_view bytes)
{
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const auto byte = [&](std::size_t at) -> unsigned { return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0U; };
    out.reserve(out.size() + (bytes.size() + 2) / 3 * 4 + 2);
    out += '"';
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const unsigned group = byte(at) << 16U | byte(at + 1) << 8U | byte(at + 2);
        const std::size_t left = bytes.size() - at;
        out += digits[group >> 18U];
        out += digits[group >> 12U & 63U];
        out += left > 1 ? digits[group >> 6U & 63U] : '=';
        out += left > 2 ? digits[group & 63U] : '=';
    }
    out += '"';
}

bool is_number(std::string_view text)
{
    const auto digits = [&] {
        const auto count = std::min(text.find_first_not_of("0123456789"), text.size());
        text.remove_prefix(count);
        return count;
    };
    if (text.starts_with('-'))
        text.remove_prefix(1);
    if (text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9')
        return false;
    if (digits() == 0)
        return false;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        if (digits() == 0)
            return false;
    }
    if (text.starts_with('e') || text.starts_with('E')) {
        text.remove_prefix(1);
        if (text.starts_with('+') || text.starts_with('-'))
            text.remove_prefix(1);
        if (digits() == 0)
            return false;
    }
    return text.empty();
}

} // namespace autosync::mapping::json
