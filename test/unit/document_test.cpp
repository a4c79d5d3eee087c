#include "mapping/document.hpp"

#include <gtest/gtest.h>

#include <limits>

using namespace autosync::mapping;

namespace {

TEST(Document, OneValueOfEachKind)
{
    const std::vector<Column> columns{{"b", {Kind::boolean}},     {"i", {Kind::integer}}, {"r", {Kind::real}},
                                      {"n", {Kind::decimal}},     {"t", {Kind::text}},    {"j", {Kind::json}},
                                      {"d", {Kind::timestamptz}}, {"x", {Kind::bytes}},   {"nothing", {Kind::text}}};
    const Row row{true,
                  std::int64_t{9223372036854775807},
                  1.0,
                  std::string("1234567890123456789012.50"),
                  std::string("a\"b"),
                  std::string(R"({"a": [1]})"),
                  std::string("2024-02-29T12:00:00Z"),
                  std::string("foo"),
                  std::monostate{}};
    std::string out;
    append_document(out, columns, row);
    EXPECT_EQ(out, R"({"b":true,"i":9223372036854775807,"r":1.0,"n":1234567890123456789012.50,"t":"a\"b","j":{"a": [1]},)"
                   R"("d":"2024-02-29T12:00:00Z","x":"Zm9v","nothing":null})");
}

TEST(Document, ListsNestByTheirDimensions)
{
    const auto plain = [](const List &list, Kind element) {
        std::string out;
        append_plain(out, list, Type{Kind::list, element});
        return out;
    };
    EXPECT_EQ(plain({}, Kind::integer), "[]");
    EXPECT_EQ(plain({{std::int64_t{1}, std::monostate{}}, {2}}, Kind::integer), "[1,null]");
    EXPECT_EQ(plain({{std::string("1"), std::string("NaN"), std::string("3"), std::string("4.5")}, {2, 2}}, Kind::decimal), R"([[1,"NaN"],[3,4.5]])");
    EXPECT_EQ(plain({{std::numeric_limits<double>::infinity()}, {1}}, Kind::real), R"(["Infinity"])");
    EXPECT_EQ(plain({{std::int64_t{1}}, {2}}, Kind::integer), "[1,null]"); // never out of bounds
}

} // namespace
