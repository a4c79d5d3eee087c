#include "mapping/object.hpp"

#include <array>
#include <stdexcept>

#include <gtest/gtest.h>

namespace autosync::mapping {

namespace {

constexpr std::array<std::string_view, 2> reserved{"_*", "own"};

TEST(Object, GivesItsMembersAsTheyStand)
{
    EXPECT_EQ(members_of(R"({"a": 1.50, "b": {"_c": 1e400}})", reserved), R"("a": 1.50, "b": {"_c": 1e400})");
    EXPECT_EQ(members_of("{}", reserved), "");
}

TEST(Object, RefusesNamesThatAreKept)
{
    EXPECT_THROW((void)members_of(R"({"a": 1, "_key": 2})", reserved), std::invalid_argument);
    EXPECT_THROW((void)members_of(R"({"own": 2})", reserved), std::invalid_argument);
    EXPECT_NO_THROW((void)members_of(R"({"owner": "own", "a_": {"own": 1}, "b": ["own", {"_v": "\"own"}], "c\"": "_v"})", reserved));
}

TEST(Object, RefusesWhatIsNone)
{
    for (const auto *const text : {"", "1", "[1]", "\"a\"", "{", "{} {}", "{\"a", "null"})
        EXPECT_THROW((void)members_of(text, reserved), std::invalid_argument) << text;
}

TEST(Object, KnowsWhereTheTransformIs)
{
    Source source;
    source.columns = {{"a", {}}, {"b", {}}};
    EXPECT_EQ(transform_place(source), std::nullopt);
    source.computed = {{"embed_expression", {}}, {"transform", {}}};
    EXPECT_EQ(transform_place(source), 3U);
}

} // namespace

} // namespace autosync::mapping
