#include "mapping/wire.hpp"

#include <stdexcept>

#include <gtest/gtest.h>

namespace autosync::mapping {

namespace {

Change sample()
{
    Change change;
    change.source = 3;
    change.key = R"({"a": 1})";
    change.row = {std::monostate{}, true, std::int64_t{-9'007'199'254'740'993}, 0.1, std::string{"a\0b", 3}, List{{std::monostate{}, std::int64_t{2}, std::string{"x"}}, {3, 1}},
                  List{}};
    change.links = {std::nullopt, "7"};
    return change;
}

TEST(Wire, GivesBackWhatWasPacked)
{
    std::string bytes;
    pack(bytes, sample());
    Change gone;
    gone.key = "8";
    gone.removed = true;
    pack(bytes, gone);
    std::string_view rest{bytes};
    const auto first = unpack(rest);
    EXPECT_EQ(first.source, 3U);
    EXPECT_EQ(first.key, sample().key);
    EXPECT_FALSE(first.removed);
    EXPECT_EQ(first.row, sample().row);
    EXPECT_EQ(first.links, sample().links);
    const auto second = unpack(rest);
    EXPECT_EQ(second.key, "8");
    EXPECT_TRUE(second.removed);
    EXPECT_TRUE(second.row.empty());
    EXPECT_TRUE(rest.empty());
}

TEST(Wire, RefusesWhatEndsTooEarly)
{
    std::string bytes;
    pack(bytes, sample());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        std::string_view part{bytes.data(), size};
        EXPECT_THROW((void)unpack(part), std::runtime_error) << size;
    }
}

} // namespace

} // namespace autosync::mapping
