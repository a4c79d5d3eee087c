#include "fuzz.hpp"
#include "http/rate_limits.hpp"
#include "http/transfer.hpp"

namespace autosync::fuzz {

/// What a server says of its limits never makes anybody wait for longer than a day, or go back in time.
FUZZ(http_headers)
{
    using namespace std::chrono_literals;
    const auto now = std::chrono::system_clock::from_time_t(784'111'777);
    if (const auto wait = http::parse_retry_after(bytes, now))
        holds(*wait >= 0s && *wait <= 24h);
    if (const auto wait = http::parse_duration(bytes))
        holds(*wait >= 0ms && *wait <= 24h);
    Input input{bytes};
    http::RateLimits limits;
    while (!input.empty()) {
        constexpr std::string_view names[]{"x-ratelimit-remaining", "X-RateLimit-Reset", "x-ratelimit-"};
        const auto name = std::string{names[input.number() % 3]} + input.text();
        limits.note(name, input.text());
    }
    if (const auto wait = limits.wait())
        holds(*wait >= 0s && *wait <= 24h);
}

} // namespace autosync::fuzz
