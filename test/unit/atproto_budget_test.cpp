// Points per identity: 5,000 an hour, 35,000 a day, less what a server says.
#include <gtest/gtest.h>

#include <utility>

#include "atproto/budget.hpp"

namespace autosync::atproto {
namespace {

using namespace std::chrono_literals;
const Budget::Clock::time_point start{1'000h};

TEST(AtprotoBudget, LetsGoOfWhatIsOld)
{
    Budget budget;
    EXPECT_EQ(budget.left(start), 5'000U);
    for (int i = 0; i < 1'666; ++i)
        budget.spend(create_points, start + i * 100ms); // all within three minutes
    EXPECT_EQ(budget.left(start + 3min), 2U);
    EXPECT_EQ(budget.next(2, start + 3min), start + 3min);
    EXPECT_EQ(budget.next(3, start + 3min), start + 61min); // the first minute is old enough
    EXPECT_GE(budget.left(start + 61min), 1'800U);
    EXPECT_EQ(budget.left(start + 64min), 5'000U);
}

TEST(AtprotoBudget, TellsItsSuccessorWhatIsLeft)
{
    Budget budget;
    EXPECT_TRUE(budget.fresh());
    budget.spend(4'000, start);
    EXPECT_FALSE(budget.fresh());
    EXPECT_EQ(budget.outlook(start), (std::pair{1'000U, 3'600s}));
    budget.correct(10, 90s, start);
    EXPECT_EQ(budget.outlook(start + 30s), (std::pair{10U, 60s}));
    Budget next;
    next.correct(10, 60s, start);
    EXPECT_EQ(next.left(start + 59s), 10U);
    EXPECT_EQ(next.left(start + 61s), 5'000U);
}

TEST(AtprotoBudget, CountsADayToo)
{
    Budget budget;
    for (int hour = 0; hour < 7; ++hour)
        budget.spend(5'000, start + hour * 62min);
    EXPECT_EQ(budget.left(start + 8h), 0U);
    EXPECT_EQ(budget.left(start + 24h + 2min), 5'000U);
}

TEST(AtprotoBudget, TheServerKnowsBetter)
{
    Budget budget;
    budget.correct(10, 100s, start);
    EXPECT_EQ(budget.left(start), 10U);
    budget.spend(4, start);
    EXPECT_EQ(budget.left(start), 6U);
    EXPECT_EQ(budget.next(7, start), start + 100s);
    budget.exhausted(50s, start);
    EXPECT_EQ(budget.left(start + 49s), 0U);
    EXPECT_EQ(budget.left(start + 50s), 4'996U);
}

} // namespace
} // namespace autosync::atproto
