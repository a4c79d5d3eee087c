#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "neo4j_scene.hpp"

using namespace autosync;
using namespace autosync::graph_test;

namespace {

Scene shop()
{
    Scene scene{{orders(), playlist_track()}, {}, {}, {}, {}};
    for (int at = 0; at < 20; ++at) {
        const auto key = std::to_string(at);
        if (at % 3 == 0)
            scene.changes.push_back({0, key, true, {}, {}});
        else if (at % 3 == 1)
            scene.changes.push_back({0, key, false, {std::int64_t{at}}, {std::to_string(at % 4)}});
        else
            scene.changes.push_back({1, key, false, {}, {std::to_string(at % 5), std::to_string(at)}});
    }
    return scene;
}

TEST(Neo4jPlan, CarriesEachChangeOnce)
{
    for (const std::size_t most : {1U, 3U, 7U, 500U}) {
        auto scene = shop();
        std::set<std::size_t> seen;
        for (const auto &planned : scene.plan(most)) {
            EXPECT_LE(planned.changes.size(), most);
            std::size_t rows = 0;
            for (const auto &statement : statements(planned.request))
                rows += statement.at("parameters").at("rows").size();
            EXPECT_EQ(rows, planned.changes.size());
            for (const auto change : planned.changes)
                EXPECT_TRUE(seen.insert(change).second);
        }
        EXPECT_EQ(seen.size(), scene.changes.size());
    }
}

TEST(Neo4jPlan, OneTransactionOfSeveralStatementsSortedByParent)
{
    auto scene = shop();
    const auto planned = scene.plan();
    ASSERT_EQ(planned.size(), 1U);
    const auto all = statements(planned[0].request);
    ASSERT_EQ(all.size(), 3U); // upserts and removals of orders, upserts of playlist_track
    EXPECT_EQ(all[1].at("parameters").at("v"), 1000);
    for (const auto &statement : {all[0], all[2]}) {
        std::vector<std::string> parents;
        for (const auto &row : statement.at("parameters").at("rows"))
            parents.push_back(row.at("f0"));
        EXPECT_TRUE(std::ranges::is_sorted(parents));
    }
}

TEST(Neo4jPlan, BoundsTheBody)
{
    auto source = orders();
    source.columns = {{"x", {Kind::text}}};
    Scene scene{{source}, {}, {}, {}, {}};
    for (int at = 0; at < 20; ++at)
        scene.changes.push_back({0, std::to_string(at), false, {std::string(1U << 20U, 'x')}, {}});
    const auto planned = scene.plan();
    EXPECT_EQ(planned.size(), 3U);
    for (const auto &each : planned)
        EXPECT_LE(each.request.body.size(), neo4j().capabilities().max_body + (2U << 20U));
}

TEST(Registry, KnowsEachKindOnce)
{
    for (const auto *target : targets::all())
        EXPECT_EQ(targets::find(target->kind()), target);
    EXPECT_EQ(targets::find("nothing"), nullptr);
}

TEST(TestKind, PlansWhatTheWorkerStores)
{
    const auto *kind = targets::find("test");
    Scene scene{{orders()},
                {{0, "1", false, {std::int64_t{1}, std::monostate{}, std::string("2024-02-29T00:00:00")}, {}}, {0, "2", true, {}, {}}},
                {},
                {},
                {}};
    const std::vector<std::size_t> which{0, 1};
    const auto planned = kind->plan(graph_server(), scene.batch(), which, 500);
    ASSERT_EQ(planned.size(), 1U);
    EXPECT_EQ(planned[0].request.method, "SEND");
    EXPECT_EQ(
        planned[0].request.body,
        R"([{"source":"public.orders","key":"1","operation":"upsert","document":{"id":1,"customer_id":null,"placed":"2024-02-29T00:00:00"},"version":1000},)"
        R"({"source":"public.orders","key":"2","operation":"remove","document":null,"version":1000}])");
    http::Response response;
    response.status = 200;
    response.body = R"(["1"])";
    EXPECT_EQ(kind->interpret(graph_server(), planned[0], response).outcome, targets::Outcome::delivered);
    EXPECT_EQ(kind->read_keys(response), std::vector<std::string>{"1"});
    response.status = 400;
    response.body = "refused by pattern";
    EXPECT_EQ(kind->interpret(graph_server(), planned[0], response).outcome, targets::Outcome::refused);
}

} // namespace
