#include "embed/vector.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include <openssl/evp.h>

namespace autosync::embed {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Walks over one list of numbers.
class Walk final {
public:
    explicit Walk(std::string_view text) : at_{text.data()}, end_{text.data() + text.size()} {}

    [[nodiscard]] bool skip(char wanted)
    {
        blanks();
        if (at_ == end_ || *at_ != wanted)
            return false;
        ++at_;
        return true;
    }
    /// A JSON number that a float32 holds. Only those with an exponent or many digits before the point can be too large for it.
    [[nodiscard]] bool number()
    {
        blanks();
        const char *const begin = at_;
        if (at_ != end_ && *at_ == '-')
            ++at_;
        const char *const whole = at_;
        digits();
        const auto length = at_ - whole;
        if (length == 0 || (length > 1 && *whole == '0'))
            return false;
        if (at_ != end_ && *at_ == '.') {
            const char *const fraction = ++at_;
            digits();
            if (at_ == fraction)
                return false;
        }
        if ((at_ == end_ || (*at_ != 'e' && *at_ != 'E')) && length <= 38)
            return true;
        if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
            ++at_;
            if (at_ != end_ && (*at_ == '+' || *at_ == '-'))
                ++at_;
            const char *const exponent = at_;
            digits();
            if (at_ == exponent)
                return false;
        }
        double value = 0;
        const auto parsed = std::from_chars(begin, at_, value);
        if (parsed.ec == std::errc::result_out_of_range)
            return std::string_view{begin, static_cast<std::size_t>(at_ - begin)}.find('-', 1) != std::string_view::npos; // as good as zero
        return parsed.ec == std::errc{} && std::isfinite(static_cast<float>(value));
    }
    [[nodiscard]] bool done()
    {
        blanks();
        return at_ == end_;
    }

private:
    void blanks()
    {
        while (at_ != end_ && is_blank(*at_))
            ++at_;
    }
    void digits()
    {
        while (at_ != end_ && is_digit(*at_))
            ++at_;
    }

    const char *at_;
    const char *end_;
};

} // namespace

std::optional<std::size_t> count_numbers(std::string_view text)
{
    Walk walk{text};
    if (!walk.skip('['))
        return std::nullopt;
    std::size_t count = 0;
    do {
        if (!walk.number() || ++count > most_dimensions)
            return std::nullopt;
    } while (walk.skip(','));
    if (!walk.skip(']') || !walk.done())
        return std::nullopt;
    return count;
}

bool append_number(std::string &out, double value)
{
    const auto stored = static_cast<float>(value);
    if (!std::isfinite(stored))
        return false;
    std::array<char, 32> buffer{};
    out.append(buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), stored).ptr);
    return true;
}

std::optional<Decoded> from_base64(std::string_view text)
{
    if (text.empty() || text.size() % 4 != 0 || text.size() > most_dimensions * 6)
        return std::nullopt;
    std::vector<unsigned char> bytes(text.size() / 4 * 3 + 1);
    const int length = EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char *>(text.data()), static_cast<int>(text.size()));
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    if (length < 4 || (static_cast<std::size_t>(length) - padding) % 4 != 0)
        return std::nullopt;
    Decoded decoded;
    decoded.dimensions = (static_cast<std::size_t>(length) - padding) / 4;
    decoded.text.reserve(decoded.dimensions * 14);
    decoded.text = "[";
    for (std::size_t at = 0; at < decoded.dimensions; ++at) {
        std::uint32_t bits = 0;
        for (std::size_t byte = 0; byte < 4; ++byte)
            bits |= static_cast<std::uint32_t>(bytes[4 * at + byte]) << (8 * byte);
        float value = 0;
        static_assert(sizeof value == sizeof bits && std::numeric_limits<float>::is_iec559);
        std::memcpy(&value, &bits, sizeof value);
        if (at > 0)
            decoded.text += ',';
        if (!append_number(decoded.text, static_cast<double>(value)))
            return std::nullopt;
    }
    decoded.text += ']';
    return decoded;
}

} // namespace autosync::embed
