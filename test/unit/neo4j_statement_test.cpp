#include <gtest/gtest.h>

#include "neo4j_scene.hpp"

using namespace autosync;
using namespace autosync::graph_test;
using mapping::Change;

namespace {

constexpr auto hostile = "a`}) DETACH DELETE n //";

std::string upsert_text(const Source &source) { return one_statement(source, {0, "1", false, {}, {}}).at("statement"); }
std::string remove_text(const Source &source) { return one_statement(source, {0, "1", true, {}, {}}).at("statement"); }

TEST(Neo4jStatement, NodeWithForeignKey)
{
    EXPECT_EQ(upsert_text(orders()), R"(UNWIND $rows AS row
MERGE (n:`_public.orders` {_key: row.p._key})
WITH n, row, CASE WHEN n._v >= row.p._v THEN n._v END AS newer
CALL (n, newer) { WITH n, newer WHERE newer IS NULL AND n._m <> $m
  CALL (n) { MATCH (n)-[r]-() WHERE r._fk IS NOT NULL AND r._row IS NULL AND CASE WHEN r._in THEN endNode(r) ELSE startNode(r) END = n DELETE r }
  CALL (n) { WITH n WHERE n._a IS NOT NULL MATCH (a:`_public.customers` {_key: n._a})-[r]->() WHERE r._fk = $own AND r._row = n._key DELETE r }
  REMOVE n:$([l IN [substring(n._m, 8)] WHERE l <> '']) }
FOREACH (_ IN CASE WHEN newer IS NULL THEN [1] ELSE [] END | SET n = row.p, n.`placed` = coalesce(localdatetime(row.t0), row.p.`placed`), n:`orders`)
WITH n, row, newer
CALL (n, row, newer) { MATCH (n)-[r:`CUSTOMER`]->(x) WHERE newer IS NULL AND r._fk = $fk0 AND (row.f0 IS NULL OR x._key <> row.f0) DELETE r }
CALL (n, row, newer) { WITH n, row, newer WHERE newer IS NULL AND row.f0 IS NOT NULL
  MERGE (x:`_public.customers` {_key: row.f0})
  MERGE (n)-[:`CUSTOMER` {_fk: $fk0}]->(x) }
RETURN count(*) - count(newer) AS applied, max(newer) AS newer)");
}

TEST(Neo4jStatement, RemovalLeavesATombstoneWithoutPublicLabel)
{
    const auto text = remove_text(orders());
    EXPECT_TRUE(contains(text, "SET n = {_key: n._key, _v: $v, _deleted: timestamp()} REMOVE n:`orders`")) << text;
    EXPECT_TRUE(contains(text, "MATCH (n)-[r:`CUSTOMER`]->() WHERE newer IS NULL AND r._fk = $fk0 DELETE r")) << text;
}

TEST(Neo4jStatement, JoinTableIsARelationship)
{
    const auto text = upsert_text(playlist_track());
    EXPECT_TRUE(contains(text, "MERGE (n:`_public.playlist_track` {_key: row.k})")) << text;
    EXPECT_TRUE(contains(text, "MERGE (a)-[r:`PLAYLIST_TRACK` {_fk: $own, _row: row.k}]->(b)")) << text;
    EXPECT_TRUE(contains(text, "SET n = {_key: row.k, _v: row.v, _m: $m, _a: row.f0, _b: row.f1}")) << text;
    const auto sent =
        one_statement(playlist_track(), {0, "K", false, {std::int64_t{1}, std::int64_t{2}}, {"1", "2"}}).at("parameters").at("rows").at(0);
    EXPECT_EQ(sent.dump(), R"({"f0":"1","f1":"2","k":"K","p":{"playlist_id":1,"track_id":2},"v":1000})");
}

TEST(Neo4jStatement, OptionsChangeTypeDirectionAndLabel)
{
    auto source = orders();
    source.options = {{"label", "Order"}, {"relationships", R"({"customer_id": {"type": "PLACED", "label": "Person", "direction": "in"}})"}};
    const auto text = upsert_text(source);
    EXPECT_TRUE(contains(text, "MERGE (n)<-[:`PLACED` {_fk: $fk0, _in: true}]-(x)")) << text;
    EXPECT_TRUE(contains(text, "SET x:`Person`, x._m = $stub0")) << text;
    EXPECT_TRUE(contains(text, ", n:`Order`)")) << text;
}

TEST(Neo4jStatement, ValuesTravelOnlyAsParameters)
{
    auto source = orders();
    source.columns = {{"id", {Kind::integer}}, {hostile, {Kind::text}}};
    const auto statement = one_statement(source, {0, hostile, false, {std::int64_t{7}, std::string(hostile)}, {std::string(hostile)}});
    EXPECT_FALSE(contains(statement.at("statement"), "DETACH DELETE"));
    const auto &parameters = statement.at("parameters");
    EXPECT_EQ(parameters.at("fk0"), "public.orders.customer_id");
    const auto &row = parameters.at("rows").at(0);
    EXPECT_EQ(row.at("p").at(hostile), hostile);
    EXPECT_EQ(row.at("p").at("_key"), hostile);
    EXPECT_EQ(row.at("p").at("_v"), 1000);
    EXPECT_EQ(row.at("f0"), hostile);
}

TEST(Neo4jStatement, HostileNamesStayNames)
{
    auto source = orders();
    source.name = std::string("public.") + hostile;
    source.links = {foreign_key(hostile, hostile)};
    source.columns = {{hostile, {Kind::date}}};
    source.options = {{"label", hostile}, {"relationships", nlohmann::json{{hostile, {{"type", hostile}, {"label", hostile}}}}.dump()}};
    for (auto text : {upsert_text(source), remove_text(source)}) {
        for (auto at = text.find('`'); at != std::string::npos; at = text.find('`')) { // take out all that is quoted
            auto end = at + 1;
            while (text.at(end) != '`' || (end + 1 < text.size() && text[end + 1] == '`'))
                end += text[end] == '`' ? 2 : 1;
            text.erase(at, end - at + 1);
        }
        EXPECT_FALSE(contains(text, "DETACH")) << text;
    }
    for (const auto &name : {std::string("a\0b", 3), std::string("a\nb"), std::string("a\x7f"), std::string("\\u0060"), std::string("x\\u0041")}) {
        auto bad = orders();
        bad.options["label"] = name;
        EXPECT_TRUE(contains(complaint(bad), "cannot be a label")) << name;
        bad = orders();
        bad.columns[0].name = name;
        EXPECT_TRUE(contains(complaint(bad), "cannot be a label, type or property")) << name;
    }
}

TEST(Neo4jStatement, NothingStaysUnderANameThatIsNoTablesAnyMore)
{
    auto source = orders();
    const auto purge_text = [&source] {
        const auto mapping = neo4j().compile(source);
        return statements(neo4j().purge(graph_server(), source, *mapping, 100)).at(0).at("statement").get<std::string>();
    };
    EXPECT_FALSE(contains(purge_text(), "DETACH DELETE")); // its children's relationships lead to stubs
    source.options["forsaken"] = "on";
    EXPECT_TRUE(contains(purge_text(), "DETACH DELETE n"));
    EXPECT_FALSE(contains(purge_text(), "_v IS NOT NULL")) << "stubs go as well";
}

TEST(Neo4jStatement, ConstraintsAreNamedAlikeEverywhere)
{
    const auto source = playlist_track();
    const auto mapping = neo4j().compile(source);
    const auto requests = neo4j().prepare(graph_server(), source, *mapping);
    ASSERT_EQ(requests.size(), 1U);
    const auto all = statements(requests[0].request);
    ASSERT_EQ(all.size(), 4U); // its own, both parents', and the index for tombstones
    EXPECT_EQ(all[0].at("statement"),
              "CREATE CONSTRAINT autosync_e2e9f390682f59dd IF NOT EXISTS FOR (n:`_public.playlist`) REQUIRE n._key IS UNIQUE");
}

TEST(Neo4jStatement, DatabaseNamesAreEncoded)
{
    auto server = graph_server();
    EXPECT_EQ(neo4j().probe(server).url, "http://127.0.0.1:7474/db/neo4j/tx/commit");
    server.options["database"] = "a/../b c?";
    EXPECT_EQ(neo4j().probe(server).url, "http://127.0.0.1:7474/db/a%2F..%2Fb%20c%3F/tx/commit");
}

} // namespace
