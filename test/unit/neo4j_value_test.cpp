#include <gtest/gtest.h>

#include <limits>

#include "neo4j_scene.hpp"

using namespace autosync::graph_test;
using autosync::mapping::List;
using autosync::mapping::Type;
using autosync::mapping::Value;

namespace {

/// The row that carries this value in a column "x": its property, else its temporal parameter, else "absent".
std::string sent(const Type &type, const Value &value)
{
    Source source;
    source.name = "public.t";
    source.table = "t";
    source.columns = {{"x", type}};
    const auto row = one_statement(source, {0, "1", false, {value}, {}}).at("parameters").at("rows").at(0);
    if (row.contains("t0"))
        return "native " + row.at("t0").dump();
    return row.at("p").contains("x") ? row.at("p").at("x").dump() : "absent";
}

std::string sent(Kind kind, const std::string &text) { return sent(Type{kind}, text); }

TEST(Neo4jValue, Scalars)
{
    EXPECT_EQ(sent(Type{Kind::integer}, std::monostate{}), "absent");
    EXPECT_EQ(sent(Type{Kind::boolean}, true), "true");
    EXPECT_EQ(sent(Type{Kind::integer}, std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
    EXPECT_EQ(sent(Type{Kind::real}, 1.0), "1.0");
    EXPECT_EQ(sent(Type{Kind::real}, -std::numeric_limits<double>::infinity()), R"("-Infinity")");
    EXPECT_EQ(sent(Type{Kind::decimal, Kind::text, true}, std::string("12")), "12.0");
    EXPECT_EQ(sent(Type{Kind::decimal, Kind::text, true}, std::string("NaN")), R"("NaN")");
    EXPECT_EQ(sent(Type{Kind::decimal, Kind::text, true}, std::string(400, '1')), '"' + std::string(400, '1') + '"');
    EXPECT_EQ(sent(Kind::decimal, "12345678901234567890.10"), R"("12345678901234567890.10")");
    EXPECT_EQ(sent(Kind::json, R"({"a": 1})"), R"("{\"a\": 1}")");
    EXPECT_EQ(sent(Kind::bytes, "foo"), R"("Zm9v")");
}

TEST(Neo4jValue, TemporalsAreNativeWhereNeo4jHasThem)
{
    EXPECT_EQ(sent(Kind::date, "2024-02-29"), R"(native "2024-02-29")");
    EXPECT_EQ(sent(Kind::time, "23:59:59.999999"), R"(native "23:59:59.999999")");
    EXPECT_EQ(sent(Kind::timetz, "12:34:56+05:30"), R"(native "12:34:56+05:30")");
    EXPECT_EQ(sent(Kind::timestamp, "0001-01-01T00:00:00"), R"(native "0001-01-01T00:00:00")");
    EXPECT_EQ(sent(Kind::timestamptz, "9999-12-31T23:59:59.5Z"), R"(native "9999-12-31T23:59:59.5Z")");
    for (const auto &[kind, text] : std::vector<std::pair<Kind, std::string>>{{Kind::date, "infinity"},
                                                                              {Kind::date, "0044-03-15 BC"},
                                                                              {Kind::date, "12024-01-01"},
                                                                              {Kind::date, "0000-01-01"},
                                                                              {Kind::time, "24:00:00"},
                                                                              {Kind::timetz, "10:00:00+05:30:15"},
                                                                              {Kind::timestamp, "2024-02-29T12:00:00Z"},
                                                                              {Kind::timestamp, "2024-02-29T12:00:00 BC"},
                                                                              {Kind::timestamptz, "2024-02-29T12:00:00"},
                                                                              {Kind::timestamptz, "-infinity"}})
        EXPECT_EQ(sent(kind, text), nlohmann::json(text).dump());
}

TEST(Neo4jValue, ListsOfOneTypeElseJsonText)
{
    const auto one = std::int64_t{1};
    EXPECT_EQ(sent(Type{Kind::list, Kind::integer}, List{}), "[]");
    EXPECT_EQ(sent(Type{Kind::list, Kind::integer}, List{{one, one}, {2}}), "[1,1]");
    EXPECT_EQ(sent(Type{Kind::list, Kind::integer}, List{{one, std::monostate{}}, {2}}), R"("[1,null]")");
    EXPECT_EQ(sent(Type{Kind::list, Kind::integer}, List{{one, one}, {2, 1}}), R"("[[1],[1]]")");
    EXPECT_EQ(sent(Type{Kind::list, Kind::real}, List{{1.0, std::numeric_limits<double>::quiet_NaN()}, {2}}), R"("[1.0,\"NaN\"]")");
    EXPECT_EQ(sent(Type{Kind::list, Kind::decimal, true}, List{{std::string("1"), std::string("2.5")}, {2}}), "[1.0,2.5]");
    EXPECT_EQ(sent(Type{Kind::list, Kind::decimal}, List{{std::string("1"), std::string("2.5")}, {2}}), R"(["1","2.5"])");
    EXPECT_EQ(sent(Type{Kind::list, Kind::text}, List{{std::string("a\"")}, {1}}), R"(["a\""])");
    EXPECT_EQ(sent(Type{Kind::list, Kind::date}, List{{std::string("2024-02-29")}, {1}}), R"(native ["2024-02-29"])");
    EXPECT_EQ(sent(Type{Kind::list, Kind::date}, List{{std::string("2024-02-29"), std::string("infinity")}, {2}}), R"(["2024-02-29","infinity"])");
}

} // namespace
