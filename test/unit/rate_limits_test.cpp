// x-ratelimit-… headers as providers write them.
#include <gtest/gtest.h>

#include "http/rate_limits.hpp"
#include "http_asking.hpp"
#include "http_server.hpp"

namespace autosync::http {
namespace {

using namespace std::chrono_literals;
using namespace test;

TEST(RateLimits, ReadsDurations)
{
    EXPECT_EQ(parse_duration("120ms"), 120ms);
    EXPECT_EQ(parse_duration("1s"), 1s);
    EXPECT_EQ(parse_duration("6m0s"), 6min);
    EXPECT_EQ(parse_duration("1h2m3.5s"), 1h + 2min + 3500ms);
    EXPECT_EQ(parse_duration("7.66"), 7660ms);
    EXPECT_EQ(parse_duration("0"), 0ms);
    for (const auto *nonsense : {"", "s", "soon", "-1s", "1x", "1 s", "1s ", "nan", "inf", "2d", "1732186800", "99999999999999999999999h"})
        EXPECT_FALSE(parse_duration(nonsense)) << nonsense;
}

TEST(RateLimits, WaitsForWhatIsUsedUp)
{
    RateLimits limits;
    EXPECT_FALSE(limits.wait());
    limits.note("x-ratelimit-limit-requests", "60");
    limits.note("X-RateLimit-Remaining-Requests", "0");
    limits.note("x-ratelimit-reset-tokens", "6m0s");
    limits.note("x-ratelimit-remaining-tokens", "149984");
    EXPECT_EQ(limits.wait(), 360s) << "nothing tells when there are requests again";
    limits.note("x-ratelimit-reset-requests", "1.2s");
    EXPECT_EQ(limits.wait(), 2s);
    limits.clear();
    EXPECT_FALSE(limits.wait());
}

TEST(RateLimits, WaitsForAllWhereNoneIsUsedUp)
{
    RateLimits limits;
    limits.note("x-ratelimit-reset-requests", "120ms");
    limits.note("x-ratelimit-reset-tokens", "9s");
    limits.note("x-ratelimit-reset-images", "when we say so");
    EXPECT_EQ(limits.wait(), 9s);
    for (int number = 0; number < 100; ++number)
        limits.note("x-ratelimit-reset-" + std::to_string(number), "1s");
    EXPECT_EQ(limits.wait(), 9s);
}

TEST(RateLimits, StandInForRetryAfter)
{
    const std::string headers = "x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 3s\r\n";
    const auto wait = [&](int status, const std::string &more) {
        HttpServer server{[&](Connection &connection, const Received &) { connection.answer(status, "", headers + more); }};
        return ask(post(server.url())).retry_after;
    };
    EXPECT_EQ(wait(429, ""), 3s);
    EXPECT_EQ(wait(429, "Retry-After: 7\r\n"), 7s);
    EXPECT_FALSE(wait(200, ""));
}

} // namespace
} // namespace autosync::http
