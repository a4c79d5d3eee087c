#include "mapping/key.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

using namespace autosync::mapping;

namespace {

const std::vector<KeyPart> pair{{.name = "playlist_id", .number = true}, {.name = "a \"b\"", .number = false}};

TEST(Key, OneColumnIsItsText)
{
    const std::vector<KeyPart> one{{.name = "id", .number = true}};
    EXPECT_EQ(key_text(one, std::vector<std::string>{"42"}), "42");
}

TEST(Key, SeveralColumnsAreAnObjectInKeyOrder)
{
    EXPECT_EQ(key_text(pair, std::vector<std::string>{"1", "x"}), R"({"playlist_id": 1, "a \"b\"": "x"})");
}

TEST(Key, ControlCharactersAreEscapedAlike)
{
    EXPECT_EQ(key_text(pair, std::vector<std::string>{"1", "a\n\\\x01\x7F"}), "{\"playlist_id\": 1, \"a \\\"b\\\"\": \"a\\u000a\\\\\\u0001\x7F\"}");
}

TEST(Key, TextsSurviveTheWayThroughJson)
{
    const std::vector<std::vector<std::string>> lists{{}, {""}, {"1", "3402"}, {"\"", "\\", "a, b", "]", "\n\t\x1F", "\xFF not UTF-8", "\xC3\xA9"}};
    for (const auto &texts : lists)
        EXPECT_EQ(texts_from_json(texts_to_json(texts)), texts);
}

TEST(Key, RefusesWhatItDidNotWrite)
{
    for (const char *const text : {"", "[", "[1]", "[\"a\"", "[\"a\",\"b\"]", "[\"a\"] ", "[\"\\", "[\"\\u1234\"]", "[\"\\u00", "{\"a\": 1}"})
        EXPECT_THROW((void) texts_from_json(text), std::invalid_argument) << text;
}

} // namespace
