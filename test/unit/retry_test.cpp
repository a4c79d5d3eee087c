#include "delivery/retry.hpp"

#include <gtest/gtest.h>

namespace autosync::delivery {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, DoublesWithinBoundsAndWithJitter)
{
    const BackoffLimits limits{100ms, 10s};
    std::minstd_rand random{42};
    for (unsigned failures = 0; failures < 70; ++failures) {
        const auto whole = failures < 2 ? 100ms : failures > 7 ? 10'000ms : 100ms * (1U << (failures - 1));
        auto shortest = whole;
        auto longest = 0ms;
        for (int i = 0; i < 200; ++i) {
            const auto delay = backoff(limits, failures, random);
            ASSERT_GE(delay, whole / 2);
            ASSERT_LE(delay, whole);
            shortest = std::min(shortest, delay);
            longest = std::max(longest, delay);
        }
        EXPECT_LT(shortest, whole * 6 / 10);
        EXPECT_GT(longest, whole * 9 / 10);
    }
}

TEST(Backoff, BearsOddLimits)
{
    std::minstd_rand random{1};
    EXPECT_LE(backoff({0ms, 0ms}, 1'000, random), 1ms);
    EXPECT_LE(backoff({5s, 1s}, 3, random), 1s);
    EXPECT_GE(backoff({1ms, std::chrono::milliseconds::max()}, 4'000'000'000U, random), std::chrono::milliseconds::max() / 2);
}

TEST(Breaker, OpensHalfOpensAndCloses)
{
    Breaker breaker{{1s, 60s}};
    Clock::time_point now{1h};
    EXPECT_TRUE(breaker.allows(now));
    breaker.failed(now, std::nullopt);
    EXPECT_FALSE(breaker.allows(now));
    EXPECT_FALSE(breaker.allows(now + 499ms));
    EXPECT_TRUE(breaker.allows(now + 1s));
    EXPECT_EQ(breaker.failures(), 1U);
    now += 1s;
    breaker.failed(now, std::nullopt);
    EXPECT_GE(breaker.open_until(), now + 1s);
    EXPECT_LE(breaker.open_until(), now + 2s);
    breaker.succeeded();
    EXPECT_TRUE(breaker.allows(now));
    EXPECT_EQ(breaker.failures(), 0U);
}

TEST(Breaker, ObeysATargetThatNamesItsTime)
{
    Breaker breaker{{1s, 300s}};
    const Clock::time_point now{1h};
    for (int i = 0; i < 30; ++i) {
        breaker.failed(now, 10s);
        EXPECT_GE(breaker.open_until(), now + 10s);
        EXPECT_LE(breaker.open_until(), now + 12s); // within a fifth, however often it failed
    }
    breaker.failed(now, 0s); // says nothing: backs off as ever
    EXPECT_GE(breaker.open_until(), now + 150s);
}

TEST(Breaker, LetsAUserTryNow)
{
    Breaker breaker{{1s, 60s}};
    const Clock::time_point now{1h};
    breaker.failed(now, 3600s);
    EXPECT_FALSE(breaker.allows(now));
    breaker.reset();
    EXPECT_TRUE(breaker.allows(now));
    EXPECT_EQ(breaker.failures(), 1U); // one try decides
}

TEST(TokenBucket, IsOpenWithoutARate)
{
    TokenBucket bucket;
    const Clock::time_point now{};
    for (int i = 0; i < 1'000; ++i)
        EXPECT_TRUE(bucket.take(now));
    EXPECT_EQ(bucket.next(now), now);
}

TEST(TokenBucket, GivesABurstAndThenTheRate)
{
    TokenBucket bucket;
    bucket.rate(10);
    Clock::time_point now{1h};
    for (int i = 0; i < 10; ++i)
        EXPECT_TRUE(bucket.take(now));
    EXPECT_FALSE(bucket.take(now));
    int taken = 0;
    const auto end = now + 100s;
    while (now < end) {
        const auto next = bucket.next(now);
        EXPECT_GT(next, now);
        EXPECT_LE(next, now + 101ms);
        now = next;
        EXPECT_TRUE(bucket.take(now));
        ++taken;
    }
    EXPECT_NEAR(taken, 1'000, 1);
    now += 1h; // a long rest is worth one second's burst
    for (int i = 0; i < 10; ++i)
        EXPECT_TRUE(bucket.take(now));
    EXPECT_FALSE(bucket.take(now));
}

TEST(TokenBucket, BearsSlowRatesAndAClockThatStands)
{
    TokenBucket bucket;
    bucket.rate(0.1);
    const Clock::time_point now{1h};
    EXPECT_TRUE(bucket.take(now));
    EXPECT_FALSE(bucket.take(now));
    EXPECT_FALSE(bucket.take(now - 1min));
    EXPECT_GE(bucket.next(now), now + 9'999ms);
    EXPECT_LE(bucket.next(now), now + 10'001ms);
    EXPECT_TRUE(bucket.take(bucket.next(now)));
    bucket.rate(0.1); // a reload that changes nothing gives nothing
    EXPECT_FALSE(bucket.take(now + 10s));
    bucket.rate(-1);
    EXPECT_TRUE(bucket.take(now));
}

} // namespace
} // namespace autosync::delivery
