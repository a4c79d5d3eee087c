// What becomes of each change: order, halves, refusals.
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "delivery_scene.hpp"

namespace autosync::delivery {
namespace {

using namespace std::string_literals;
using namespace test;

TEST(Delivery, HasNothingToDoForNothing)
{
    Scene scene{0};
    auto delivery = scene.begin();
    EXPECT_TRUE(delivery.finished());
    EXPECT_FALSE(delivery.next(scene.now));
    EXPECT_EQ(delivery.retry_at(), Clock::time_point::max());
}

TEST(Delivery, SendsInTheOrderOfThePlan)
{
    Scene scene{7};
    scene.settings.batch_size = 3;
    auto delivery = scene.begin();
    scene.run(delivery);
    EXPECT_EQ(scene.sent, (std::vector<std::string>{"0 1 2", "3 4 5", "6"}));
    EXPECT_EQ(count(delivery, State::delivered), 7U);
    EXPECT_EQ(delivery.bytes(), 11U);
    EXPECT_FALSE(delivery.trouble());
}

TEST(Delivery, KeepsToWhatTheTargetBears)
{
    Scene scene{10};
    scene.settings = {.batch_size = 500, .max_in_flight = 8, .transient_retries = 5};
    scene.target.limits.max_batch = 2;
    scene.target.limits.max_in_flight = 3;
    auto delivery = scene.begin();
    std::vector<Delivery::Outgoing> flying;
    while (auto outgoing = delivery.next(scene.now))
        flying.push_back(*outgoing);
    EXPECT_EQ(flying.size(), 3U);
    EXPECT_EQ(delivery.retry_at(), Clock::time_point::max());
    delivery.answer(flying[1].id, scene.response, scene.now);
    delivery.answer(flying[1].id, scene.response, scene.now); // twice: ignored
    EXPECT_EQ(delivery.next(scene.now).value().request.body, "6 7");
    EXPECT_FALSE(delivery.next(scene.now));
    EXPECT_FALSE(delivery.finished());
}

TEST(Delivery, IsolatesPoisonRows)
{
    Scene scene{500};
    scene.target.judge = poison({17, 18, 400}, {.outcome = Outcome::refused, .message = "constraint"});
    scene.response.body = "{\"why\":\"constraint\"}";
    auto delivery = scene.begin();
    scene.run(delivery);
    EXPECT_EQ(count(delivery, State::refused), 3U);
    EXPECT_EQ(count(delivery, State::delivered), 497U);
    const auto &refused = delivery.results()[400];
    EXPECT_EQ(refused.state, State::refused);
    EXPECT_EQ(refused.message, "constraint");
    EXPECT_EQ(refused.request.body, "400");
    EXPECT_EQ(refused.answer, "{\"why\":\"constraint\"}");
    EXPECT_LT(delivery.requests(), 50U);
    EXPECT_FALSE(delivery.trouble());
}

TEST(Delivery, RefusesEachOfABatchThatIsAllPoison)
{
    Scene scene{64};
    std::vector<std::size_t> all(64);
    std::iota(all.begin(), all.end(), std::size_t{0});
    scene.target.judge = poison({all.begin(), all.end()}, {.outcome = Outcome::refused});
    auto delivery = scene.begin();
    scene.run(delivery);
    EXPECT_EQ(count(delivery, State::refused), 64U);
    EXPECT_EQ(delivery.requests(), 127U);
}

TEST(Delivery, HalvesWhatIsTooMuchAtOnce)
{
    Scene scene{100};
    scene.target.judge = [](const Planned &planned, const http::Response &) {
        return planned.changes.size() > 20 ? Verdict{.outcome = Outcome::unreachable, .halve = true} : Verdict{.outcome = Outcome::delivered};
    };
    auto delivery = scene.begin();
    scene.run(delivery);
    EXPECT_EQ(count(delivery, State::delivered), 100U);
    EXPECT_EQ(scene.sent.size(), 15U); // 100, 2 × 50, 4 × 25, 8 × 12 or 13
    EXPECT_TRUE(scene.sent[3].starts_with("0 1 2 "));
    EXPECT_TRUE(scene.sent.back().ends_with(" 98 99"));
}

TEST(Delivery, TakesWhatIsTooMuchAloneForItsOutcome)
{
    Scene scene{8};
    scene.target.judge = poison({3}, {.outcome = Outcome::refused, .message = "too large", .halve = true});
    auto refused = scene.begin();
    scene.run(refused);
    EXPECT_EQ(count(refused, State::delivered), 7U);
    EXPECT_EQ(refused.results()[3].message, "too large");

    Scene other{8};
    other.target.judge = poison({3}, {.outcome = Outcome::unreachable, .halve = true});
    auto trouble = other.begin();
    other.run(trouble);
    EXPECT_EQ(trouble.trouble()->outcome, Outcome::unreachable);
    EXPECT_EQ(trouble.results()[3].state, State::open);
    EXPECT_EQ(count(trouble, State::delivered), 3U);
}

TEST(Delivery, RefusesOnlyWhatCannotBePlanned)
{
    Scene scene{100};
    scene.target.plannable = [](std::size_t change) { return change != 42; };
    scene.target.needed = [](std::size_t change) { return change != 7; };
    auto delivery = scene.begin();
    scene.run(delivery);
    EXPECT_EQ(delivery.results()[42].state, State::refused);
    EXPECT_EQ(delivery.results()[42].message, "cannot say 42");
    EXPECT_EQ(delivery.results()[7].state, State::delivered);
    EXPECT_EQ(count(delivery, State::delivered), 99U);
}

TEST(Delivery, ShowsNoSecretsAndNothingThatATableCannotHold)
{
    Scene scene{1};
    scene.server.access.username = "neo4j";
    scene.server.access.password = "s3cr3t-password";
    scene.server.access.bearer_token = "t0ken-t0ken";
    scene.server.access.secret_headers = {{"api-key", "k3y-k3y-k3y"}};
    scene.target.judge = poison({0}, {.outcome = Outcome::refused, .message = "you said s3cr3t-password"});
    scene.response.body = "a\0b \xff k3y-k3y-k3y Basic bmVvNGo6czNjcjN0LXBhc3N3b3Jk t0ken-t0ken \xf0\x9f\x98\x80 "s + std::string(1'880, 'x') +
                          "s3cr3t-password" + std::string(50'000, '\xc3');
    auto delivery = scene.begin();
    scene.run(delivery);
    const auto &result = delivery.results().front();
    EXPECT_EQ(result.message, "you said ***");
    EXPECT_TRUE(result.answer.starts_with("a\xef\xbf\xbd"
                                          "b \xef\xbf\xbd *** Basic *** *** \xf0\x9f\x98\x80 "))
        << result.answer;
    EXPECT_EQ(result.answer.find("s3cr3t"), std::string::npos);
    EXPECT_LE(result.answer.size(), 2'000U);
    EXPECT_TRUE(result.answer.ends_with("\xe2\x80\xa6"));
}

TEST(Delivery, ShowsWhyNoAnswerCame)
{
    Scene scene{1};
    scene.target.judge = poison({0}, {.outcome = Outcome::refused});
    scene.response.failure = http::Response::Failure::too_large;
    scene.response.error = "the answer is larger than allowed";
    auto delivery = scene.begin();
    scene.run(delivery);
    EXPECT_EQ(delivery.results().front().answer, scene.response.error);
}

} // namespace
} // namespace autosync::delivery
