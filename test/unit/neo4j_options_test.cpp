#include <gtest/gtest.h>

#include "neo4j_scene.hpp"

using namespace autosync::graph_test;

namespace {

nlohmann::json described(const Source &source) { return nlohmann::json::parse(neo4j().describe(source, *neo4j().compile(source))); }

std::string complaint_about(Source source, const std::string &option, const std::string &value)
{
    source.options[option] = value;
    return complaint(source);
}

TEST(Neo4jOptions, RelationshipsAreInferredFromForeignKeys)
{
    auto source = orders();
    source.links.push_back({"Ship_ID,zip", {"Ship_ID", "zip"}, "public.places", "places", ""});
    source.links.push_back(foreign_key("_id", "orders"));
    EXPECT_EQ(described(source).dump(),
              R"({"label":"orders","relationships":[{"columns":["customer_id"],"direction":"out","label":"Customer","type":"CUSTOMER"},)"
              R"({"columns":["Ship_ID","zip"],"direction":"out","label":"places","type":"SHIP_ZIP"},)"
              R"({"columns":["_id"],"direction":"out","label":"orders","type":"_ID"}]})");
    source.options["relationships"] = R"({"Ship_ID, zip": "SENT_TO", "_id": "off"})";
    EXPECT_EQ(described(source).at("relationships").size(), 2U);
    EXPECT_EQ(described(source).at("relationships").at(1).at("type"), "SENT_TO");
    source.options["relationships"] = "off";
    EXPECT_TRUE(described(source).at("relationships").empty());
}

TEST(Neo4jOptions, MistakesNameWhatIsValid)
{
    EXPECT_EQ(complaint_about(orders(), "relationships", R"({"costumer_id": "X"})"),
              R"(option "relationships" names "costumer_id", which is not a foreign key of "public.orders": its foreign keys are "customer_id")");
    EXPECT_TRUE(contains(complaint_about(orders(), "relationships", R"({"customer_id": {"typ": "X"}})"), "valid ones are type, label, direction"));
    EXPECT_TRUE(contains(complaint_about(orders(), "relationships", R"({"customer_id": {"direction": "up"}})"), R"(it is "in" or "out")"));
    EXPECT_TRUE(contains(complaint_about(orders(), "relationships", R"({"customer_id": 3})"), "neither a type nor an object"));
    EXPECT_TRUE(contains(complaint_about(orders(), "relationships", "[1]"), "not a JSON object"));
    EXPECT_TRUE(contains(complaint_about(orders(), "properties", R"({"nothing": "x"})"), "not a column that is sent"));
    EXPECT_TRUE(contains(complaint_about(orders(), "properties", R"({"id": "_key"})"), "one of autosync's own"));
    EXPECT_TRUE(contains(complaint_about(orders(), "properties", R"({"id": "placed"})"), "two columns become"));
    EXPECT_TRUE(contains(complaint_about(orders(), "label", "_public.x"), "looks like one of autosync's own"));
}

TEST(Neo4jOptions, PropertiesRenameColumns)
{
    auto source = orders();
    source.options["properties"] = R"({"id": "number", "placed": "at"})";
    const auto statement = one_statement(source, {0, "1", false, {std::int64_t{1}, std::monostate{}, std::string("2024-02-29T00:00:00")}, {}});
    EXPECT_EQ(statement.at("parameters").at("rows").at(0).at("p").at("number"), 1);
    EXPECT_TRUE(contains(statement.at("statement"), "n.`at` = coalesce(localdatetime(row.t0), row.p.`at`)"));
}

TEST(Neo4jOptions, ARowMayBeARelationship)
{
    EXPECT_EQ(described(playlist_track()).dump(), R"({"label":null,"relationships":[{"from":"playlist","to":"track","type":"PLAYLIST_TRACK"}]})");
    auto source = playlist_track();
    source.options["relationship"] = "HOLDS";
    EXPECT_EQ(described(source).at("relationships").at(0).at("type"), "HOLDS");
    source.options["relationship"] = R"({"from": "track_id", "type": "IN"})";
    EXPECT_EQ(described(source).at("relationships").at(0).dump(), R"({"from":"track","to":"playlist","type":"IN"})");
    source.options["relationship"] = "off";
    EXPECT_EQ(described(source).at("label"), "playlist_track");
    EXPECT_EQ(described(source).at("relationships").size(), 2U);
    source.options = {{"relationships", "off"}};
    EXPECT_EQ(described(source).at("label"), "playlist_track");

    EXPECT_TRUE(contains(complaint_about(orders(), "relationship", "on"), R"(given by "from" and "to")"));
    EXPECT_TRUE(contains(complaint_about(playlist_track(), "relationship", R"({"to": "x"})"), R"(its foreign keys are "playlist_id", "track_id")"));
    EXPECT_TRUE(contains(complaint_about(playlist_track(), "relationship", R"({"from": "track_id", "to": "track_id"})"), "to another"));
    EXPECT_TRUE(contains(complaint_about(playlist_track(), "relationships", R"({"track_id": "X"})"), "rows are relationships themselves"));
}

} // namespace
