// What becomes of a delivery when the target as a whole, or for a moment, is in trouble.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "delivery_scene.hpp"

namespace autosync::delivery {
namespace {

using namespace test;

TEST(DeliveryTrouble, SendsAgainWhatWasTransient)
{
    Scene scene{2};
    scene.settings.batch_size = 1;
    int deadlocks = 3;
    scene.target.judge = [&](const Planned &planned, const http::Response &) {
        return planned.changes.front() == 0 && deadlocks-- > 0 ? Verdict{.outcome = Outcome::unreachable, .again = true}
                                                               : Verdict{.outcome = Outcome::delivered};
    };
    const auto start = scene.now;
    auto delivery = scene.begin();
    scene.run(delivery);
    EXPECT_EQ(scene.sent, (std::vector<std::string>{"0", "1", "0", "0", "0"})); // the other one need not wait
    EXPECT_EQ(count(delivery, State::delivered), 2U);
    EXPECT_GE(scene.now - start, (25ms + 50ms + 100ms) / 2 - 2ms);
    EXPECT_LE(scene.now - start, 25ms + 50ms + 100ms);
}

TEST(DeliveryTrouble, GivesUpOnWhatStaysTransient)
{
    Scene scene{10};
    scene.settings.batch_size = 5;
    scene.settings.transient_retries = 2;
    scene.target.judge = poison({1}, {.outcome = Outcome::refused, .message = "deadlock", .again = true});
    auto delivery = scene.begin();
    scene.run(delivery);
    EXPECT_EQ(scene.sent.size(), 4U); // one and two retries, and the other batch meanwhile
    EXPECT_EQ(delivery.trouble()->outcome, Outcome::unreachable);
    EXPECT_EQ(delivery.trouble()->message, "deadlock");
    EXPECT_EQ(count(delivery, State::open), 5U);
    EXPECT_EQ(count(delivery, State::refused), 0U);
}

TEST(DeliveryTrouble, StopsWhenTheTargetIsInTrouble)
{
    Scene scene{10};
    scene.settings = {.batch_size = 1, .max_in_flight = 3, .transient_retries = 5};
    scene.target.judge = poison({1}, {.outcome = Outcome::throttled, .message = "slow down", .retry_after = 30s});
    auto delivery = scene.begin();
    std::vector<Delivery::Outgoing> flying;
    while (auto outgoing = delivery.next(scene.now))
        flying.push_back(*outgoing);
    ASSERT_EQ(flying.size(), 3U);
    delivery.answer(flying[0].id, scene.response, scene.now);
    delivery.answer(flying[1].id, scene.response, scene.now);
    EXPECT_FALSE(delivery.next(scene.now));
    EXPECT_FALSE(delivery.finished());
    EXPECT_EQ(delivery.retry_at(), Clock::time_point::max());
    delivery.answer(flying[2].id, scene.response, scene.now); // still counts
    EXPECT_TRUE(delivery.finished());
    EXPECT_EQ(count(delivery, State::delivered), 2U);
    EXPECT_EQ(count(delivery, State::open), 8U);
    EXPECT_EQ(delivery.trouble()->outcome, Outcome::throttled);
    EXPECT_EQ(delivery.trouble()->retry_after, 30s);
}

TEST(DeliveryTrouble, BringsToAnEndWhatItHasBegunWhenItIsStopped)
{
    Scene scene{4};
    scene.settings.batch_size = 1;
    scene.settings.max_in_flight = 2;
    int asked = 0;
    scene.target.judge = [&](const Planned &planned, const http::Response &) {
        return planned.changes.front() == 0 && asked++ == 0 ? Verdict{.follow_up = http::Request{.body = "more"}} : Verdict{.outcome = Outcome::delivered};
    };
    auto delivery = scene.begin();
    const auto first = delivery.next(scene.now);
    const auto second = delivery.next(scene.now);
    delivery.answer(first->id, scene.response, scene.now);
    delivery.stop();
    const auto further = delivery.next(scene.now);
    ASSERT_TRUE(further);
    EXPECT_EQ(further->request.body, "more");
    EXPECT_FALSE(delivery.next(scene.now));
    delivery.answer(second->id, scene.response, scene.now);
    EXPECT_FALSE(delivery.finished());
    delivery.answer(further->id, scene.response, scene.now);
    EXPECT_TRUE(delivery.finished());
    EXPECT_TRUE(delivery.stopped());
    EXPECT_FALSE(delivery.trouble());
    EXPECT_EQ(count(delivery, State::delivered), 2U);
    EXPECT_EQ(count(delivery, State::open), 2U);
}

TEST(DeliveryTrouble, SplitsNothingOnceTheTargetIsInTrouble)
{
    Scene scene{4};
    scene.settings = {.batch_size = 2, .max_in_flight = 2, .transient_retries = 5};
    scene.target.judge = [](const Planned &planned, const http::Response &) {
        return Verdict{.outcome = planned.changes.front() == 0 ? Outcome::unauthorized : Outcome::refused};
    };
    auto delivery = scene.begin();
    const auto first = delivery.next(scene.now).value();
    const auto second = delivery.next(scene.now).value();
    delivery.answer(first.id, scene.response, scene.now);
    delivery.answer(second.id, scene.response, scene.now);
    EXPECT_TRUE(delivery.finished());
    EXPECT_EQ(count(delivery, State::open), 4U);
}

TEST(DeliveryTrouble, KeepsTheFirstTroubleAndTheLatestTime)
{
    Scene scene{2};
    scene.settings = {.batch_size = 1, .max_in_flight = 2, .transient_retries = 5};
    scene.target.judge = [](const Planned &planned, const http::Response &) {
        return Verdict{
            .outcome = Outcome::throttled, .message = std::to_string(planned.changes.front()), .retry_after = planned.changes.front() == 0 ? 5s : 9s};
    };
    auto delivery = scene.begin();
    const auto first = delivery.next(scene.now).value();
    const auto second = delivery.next(scene.now).value();
    delivery.answer(first.id, scene.response, scene.now);
    delivery.answer(second.id, scene.response, scene.now);
    EXPECT_EQ(delivery.trouble()->message, "0");
    EXPECT_EQ(delivery.trouble()->retry_after, 9s);
}

TEST(DeliveryTrouble, RemembersTheNewestVersionOfStaleChanges)
{
    Scene scene{4};
    scene.settings.batch_size = 1;
    scene.target.judge = [](const Planned &planned, const http::Response &) {
        const auto change = planned.changes.front();
        return change % 2 == 0 ? Verdict{.outcome = Outcome::stale, .newer_version = 100 - static_cast<std::int64_t>(change)}
                               : Verdict{.outcome = Outcome::delivered};
    };
    auto delivery = scene.begin();
    scene.run(delivery);
    EXPECT_EQ(delivery.newer_version(), 100);
    EXPECT_EQ(count(delivery, State::open), 2U);
    EXPECT_EQ(count(delivery, State::delivered), 2U);
    EXPECT_FALSE(delivery.trouble());
}

TEST(DeliveryTrouble, AsksFollowUpsBeforeAnythingElse)
{
    Scene scene{2};
    scene.settings.batch_size = 1;
    int asked = 0;
    scene.target.judge = [&](const Planned &planned, const http::Response &) {
        Verdict verdict{.outcome = Outcome::delivered};
        if (planned.changes.front() == 0 && asked++ == 0)
            verdict.follow_up = http::Request{.method = "GET", .url = "", .headers = {}, .body = "look"};
        return verdict;
    };
    auto delivery = scene.begin();
    scene.run(delivery);
    EXPECT_EQ(scene.sent, (std::vector<std::string>{"0", "look", "1"}));
    EXPECT_EQ(count(delivery, State::delivered), 2U);

    Scene endless{1};
    endless.target.judge = [](const Planned &, const http::Response &) { return Verdict{.follow_up = http::Request{}}; };
    auto other = endless.begin();
    endless.run(other);
    EXPECT_EQ(other.trouble()->outcome, Outcome::unknown);
    EXPECT_LT(endless.sent.size(), 30U);
}

TEST(DeliveryTrouble, WhatWasSentTwiceIsInDoubtAlsoWhenItHasArrived)
{
    Scene scene{3};
    scene.settings.batch_size = 1;
    auto delivery = scene.begin();
    http::Response answer;
    answer.status = 200;
    const auto now = std::chrono::steady_clock::time_point{};
    for (std::size_t i = 0; const auto outgoing = delivery.next(now); ++i) {
        answer.resent = i == 1;
        delivery.answer(outgoing->id, answer, now);
    }
    EXPECT_EQ(count(delivery, State::delivered), 3U);
    EXPECT_FALSE(delivery.results()[0].in_doubt);
    EXPECT_TRUE(delivery.results()[1].in_doubt);
    EXPECT_FALSE(delivery.results()[2].in_doubt);
}

} // namespace
} // namespace autosync::delivery
