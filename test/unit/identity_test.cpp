#include "mapping/identity.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

using namespace autosync::mapping;

namespace {

const std::vector<std::string> pair{"playlist_id", "track_id"};

TEST(Identity, OneColumnIsItsText)
{
    const std::vector<std::string> names{"id"};
    EXPECT_EQ(read_key("{\"id\": 1}", names), std::vector<std::string>{"{\"id\": 1}"});
}

TEST(Identity, ReadsAnyOrderAndSpacing)
{
    EXPECT_EQ(read_key("{\"track_id\" :3402,\n\"playlist_id\":\"1\"}", pair), (std::vector<std::string>{"1", "3402"}));
    EXPECT_EQ(read_key(R"({"playlist_id": 1.50, "track_id": 123456789012345678901234567890})", pair),
              (std::vector<std::string>{"1.50", "123456789012345678901234567890"}));
    EXPECT_EQ(read_key(R"({"playlist_id": true, "track_id": -7})", pair), (std::vector<std::string>{"true", "-7"}));
}

TEST(Identity, SaysWhatIsWrong)
{
    const auto problem = [](std::string_view key) -> std::string {
        try {
            (void)read_key(key, pair);
        } catch (const std::invalid_argument &error) {
            return error.what();
        }
        return "";
    };
    EXPECT_NE(problem(R"({"playlist_id": 1})").find("lacks column \"track_id\""), std::string::npos);
    EXPECT_NE(problem(R"({"playlist_id": 1, "x": 2})").find("\"x\" is not a column of the key (\"playlist_id\", \"track_id\")"), std::string::npos);
    EXPECT_NE(problem(R"({"playlist_id": null, "track_id": 1})").find("cannot be null"), std::string::npos);
    EXPECT_NE(problem(R"({"playlist_id": {"a": 1}, "track_id": 1})").find("cannot be objects"), std::string::npos);
    EXPECT_NE(problem(R"({"playlist_id": 1, "playlist_id": 2, "track_id": 1})").find("given twice"), std::string::npos);
    for (const auto *text : {"", "1", "[1,2]", "{", "\"x\"", "{\"playlist_id\": 1, \"track_id\": 2} x"})
        EXPECT_NE(problem(text).find("JSON object"), std::string::npos) << text;
    EXPECT_NE(problem(std::string(1'000'000, '[')).find("JSON object"), std::string::npos);
}

} // namespace
