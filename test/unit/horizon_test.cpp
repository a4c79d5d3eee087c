#include "outbox/horizon.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

using autosync::outbox::Horizon;

namespace {

TEST(Horizon, SeesWhatHadEndedWhenItWasTaken)
{
    const auto horizon = Horizon::parse("10:20:12,15");
    EXPECT_TRUE(horizon.sees(9));
    EXPECT_TRUE(horizon.sees(10));
    EXPECT_FALSE(horizon.sees(12));
    EXPECT_TRUE(horizon.sees(13));
    EXPECT_FALSE(horizon.sees(15));
    EXPECT_TRUE(horizon.sees(19));
    EXPECT_FALSE(horizon.sees(20));
    EXPECT_FALSE(horizon.sees(21));
}

TEST(Horizon, FindsLateOnesInAnyOrder) { EXPECT_FALSE(Horizon::parse("10:20:15,12").sees(12)); }

TEST(Horizon, ReadsWhatItWrites)
{
    for (const auto *const text : {"1:1:", "3:3:", "10:20:12", "18446744073709551613:18446744073709551615:18446744073709551613,18446744073709551614"}) {
        EXPECT_EQ(Horizon::parse(text).text(), text);
        EXPECT_EQ(Horizon::parse(Horizon::parse(text).text()), Horizon::parse(text));
    }
    EXPECT_EQ(Horizon{}.text(), "1:1:");
}

TEST(Horizon, RefusesWhatIsNone)
{
    for (const auto *const text : {"", "1", "1:", "1:2", "x:2:", "1:y:", "1:2:z", "1:2:1;2", "1:2:,1", "1,2:3", "-1:2:", "99999999999999999999:1:"})
        EXPECT_THROW((void) Horizon::parse(text), std::runtime_error) << text;
}

} // namespace
