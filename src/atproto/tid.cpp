#include "atproto/tid.hpp"

#include <algorithm>
#include <cstddef>

namespace autosync::atproto {
namespace {

constexpr std::string_view digits = "234567abcdefghijklmnopqrstuvwxyz"; // in the order of their bytes, so that texts sort as numbers do
constexpr std::size_t length = 13;

} // namespace

std::string tid(std::int64_t microseconds, unsigned clock)
{
    constexpr std::uint64_t most = (std::uint64_t{1} << 53U) - 1;
    std::uint64_t number = (static_cast<std::uint64_t>(microseconds) & most) << 10U | (clock & 1'023U);
    std::string text(length, digits.front());
    for (std::size_t i = length; i-- > 0; number >>= 5U)
        text[i] = digits[number & 31U];
    return text;
}

bool is_tid(std::string_view text)
{
    // The highest of 65 bits and that of 64 are not used.
    return text.size() == length && digits.substr(0, 16).find(text.front()) != std::string_view::npos &&
           std::ranges::all_of(text, [](char c) { return digits.find(c) != std::string_view::npos; });
}

} // namespace autosync::atproto
