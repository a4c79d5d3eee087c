#include "http/rate_limits.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace autosync::http {
namespace {

constexpr double day = 86'400'000;
constexpr std::size_t longest_unit = 40;

std::string lower(std::string_view text)
{
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

double milliseconds_in(std::string_view unit)
{
    if (unit == "ms")
        return 1;
    if (unit == "s" || unit.empty())
        return 1'000;
    if (unit == "m")
        return 60'000;
    return unit == "h" ? 3'600'000 : unit == "d" ? day : -1;
}

} // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text)
{
    double total = 0;
    bool bare = false;
    if (text.empty())
        return std::nullopt;
    while (!text.empty()) {
        double number = 0;
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
        if (bare || parsed.ec != std::errc{} || !(number >= 0))
            return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
        const auto unit = text.substr(0, text.find_first_of("0123456789."));
        text.remove_prefix(unit.size());
        bare = unit.empty();
        const double each = milliseconds_in(unit);
        total += number * each;
        if (each < 0 || total > day)
            return std::nullopt;
    }
    return std::chrono::milliseconds{std::llround(total)};
}

void RateLimits::note(std::string_view name, std::string_view value)
{
    constexpr std::string_view remaining = "x-ratelimit-remaining";
    constexpr std::string_view reset = "x-ratelimit-reset";
    const auto known = lower(name.substr(0, longest_unit + remaining.size()));
    const bool tells_remaining = known.starts_with(remaining);
    if (!tells_remaining && !known.starts_with(reset))
        return;
    const auto unit = known.substr(tells_remaining ? remaining.size() : reset.size());
    auto *const end = limits_.begin() + count_;
    auto *found = std::find_if(limits_.begin(), end, [&](const Limit &limit) { return limit.unit == unit; });
    if (found == end) {
        if (count_ == limits_.size())
            return;
        ++count_;
        *found = {unit, false, std::nullopt};
    }
    if (tells_remaining)
        found->used_up = value == "0";
    else
        found->reset = parse_duration(value);
}

std::optional<std::chrono::seconds> RateLimits::wait() const
{
    std::optional<std::chrono::milliseconds> used_up;
    std::optional<std::chrono::milliseconds> all;
    for (std::size_t at = 0; at < count_; ++at) {
        const auto &limit = limits_[at];
        all = std::max(all, limit.reset);
        if (limit.used_up)
            used_up = std::max(used_up, limit.reset);
    }
    const auto longest = used_up ? used_up : all;
    return longest ? std::optional{std::chrono::ceil<std::chrono::seconds>(*longest)} : std::nullopt;
}

} // namespace autosync::http
