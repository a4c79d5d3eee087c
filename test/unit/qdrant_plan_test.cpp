// What is planned for rows: points, their payload and vectors, and what preview() shows.
#include <limits>
#include <set>

#include "qdrant_scene.hpp"

namespace autosync::vector_test {
namespace {

mapping::List floats(std::vector<double> values)
{
    mapping::List list;
    list.extents = {static_cast<int>(values.size())};
    list.items.assign(values.begin(), values.end());
    return list;
}

/// The only write that is previewed for this change.
json written(const Source &source, Change change)
{
    Scene scene;
    scene.source = source;
    scene.changes = {std::move(change)};
    return json::parse(qdrant().preview(scene.server, scene.batch()).back().request.body).at("operations");
}

std::string refusal(const Source &source, Change change)
{
    Scene scene;
    scene.source = source;
    scene.changes = {std::move(change)};
    try {
        (void)scene.plan();
    } catch (const std::invalid_argument &error) {
        return error.what();
    }
    return "";
}

TEST(QdrantPlan, AsksFirstWhatIsThere)
{
    Scene scene;
    scene.changes = {product(1, "coat"), gone(2)};
    const auto planned = scene.plan();
    ASSERT_EQ(planned.size(), 1U);
    EXPECT_EQ(planned[0].request.url, "http://qdrant/collections/products/points");
    EXPECT_EQ(json::parse(planned[0].request.body), json::parse(R"({"ids":[1,2],"with_payload":{"include":["_v","_hash"]},"with_vector":false})"));
    EXPECT_EQ(planned[0].changes, (std::vector<std::size_t>{0, 1}));
    EXPECT_NE(planned[0].dialogue, nullptr);
}

TEST(QdrantPlan, CarriesEachChangeOnceWithinTheLimits)
{
    for (const std::size_t most : {1U, 7U, 500U, 100'000U}) {
        Scene scene;
        for (int at = 0; at < 1'203; ++at)
            scene.changes.push_back(product(at, "thing"));
        std::set<std::size_t> seen;
        for (const auto &planned : scene.plan(most)) {
            EXPECT_LE(planned.changes.size(), std::min<std::size_t>(most, 500));
            for (const auto change : planned.changes)
                EXPECT_TRUE(seen.insert(change).second);
        }
        EXPECT_EQ(seen.size(), scene.changes.size());
    }
    Scene scene;
    for (int at = 0; at < 20; ++at)
        scene.changes.push_back(product(at, std::string(1U << 20U, 'x')));
    EXPECT_GE(scene.plan().size(), 3U); // text and payload count both
}

TEST(QdrantPlan, KeepsSourcesApart)
{
    Scene scene;
    auto other = products({{"embed", "name"}, {"collection", "others"}});
    const auto first = qdrant().compile(scene.source);
    const auto second = qdrant().compile(other);
    const Source *sources[] = {&scene.source, &other};
    const targets::Mapping *mappings[] = {first.get(), second.get()};
    std::vector<Change> changes{product(1, "a"), product(1, "b"), product(2, "c")};
    changes[1].source = 1;
    const std::vector<std::size_t> all{0, 1, 2};
    const auto planned = qdrant().plan(scene.server, {sources, mappings, changes, 7}, all, 500);
    ASSERT_EQ(planned.size(), 2U);
    EXPECT_EQ(planned[0].changes, (std::vector<std::size_t>{0, 2}));
    EXPECT_EQ(planned[1].request.url, "http://qdrant/collections/others/points");
}

TEST(QdrantPlan, PreviewShowsBothRequestsWithoutVectors)
{
    Scene scene;
    scene.changes = {product(1, "coat", std::string("warm"))};
    const auto shown = qdrant().preview(scene.server, scene.batch());
    ASSERT_EQ(shown.size(), 2U);
    EXPECT_EQ(shown[0].request.peer, http::Peer::embedder);
    EXPECT_EQ(json::parse(shown[0].request.body).at("input"), json::parse(R"(["coat\nwarm"])"));
    EXPECT_EQ(shown[1].request.url, "http://qdrant/collections/products/points/batch?wait=true");
    const auto point = json::parse(shown[1].request.body).at("operations").at(0).at("upsert").at("points").at(0);
    EXPECT_EQ(point.at("vector"), "…");
    EXPECT_EQ(point.at("id"), 1);
    const auto &payload = point.at("payload");
    EXPECT_EQ(payload.at("_key"), "1");
    EXPECT_EQ(payload.at("_source"), "public.products");
    EXPECT_EQ(payload.at("_v"), 1'000);
    EXPECT_EQ(payload.at("_model"), "m");
    EXPECT_EQ(payload.at("_hash").get<std::string>().size(), 32U);
    EXPECT_EQ(payload.at("description"), "warm");
    EXPECT_EQ(payload.at("vec"), nullptr);
    scene.changes = {gone(1)};
    const auto removal = qdrant().preview(scene.server, scene.batch());
    ASSERT_EQ(removal.size(), 1U);
    EXPECT_EQ(json::parse(removal[0].request.body), json::parse(R"({"operations":[{"delete":{"points":[1]}}]})"));
}

TEST(QdrantPlan, JoinsTextsByNewlines)
{
    Scene scene;
    scene.source.columns.push_back({"price", {Kind::real}});
    scene.source.columns.push_back({"sold", {Kind::boolean}});
    scene.source.options["embed"] = "name,description,id,price,sold";
    const auto text = [&](mapping::Row row) {
        scene.changes = {{0, "5", false, std::move(row), {}}};
        return json::parse(qdrant().preview(scene.server, scene.batch()).front().request.body).at("input").at(0).get<std::string>();
    };
    EXPECT_EQ(text({std::int64_t{5}, std::string("coat"), std::string(" \n"), {}, 2.0, true}), "coat\n5\n2\ntrue");
    EXPECT_EQ(text({std::int64_t{5}, {}, std::string("भाषा 言葉"), {}, {}, {}}), "भाषा 言葉\n5");
}

TEST(QdrantPlan, TakesTheTextOfAnExpression)
{
    auto source = products({{"embed_expression", "upper(name)"}});
    source.computed = {{"embed_expression", {Kind::text}}};
    Scene scene;
    scene.source = source;
    scene.changes = {product(1, "coat")};
    scene.changes[0].row.emplace_back(std::string("COAT"));
    EXPECT_EQ(json::parse(qdrant().preview(scene.server, scene.batch()).front().request.body).at("input"), json::parse(R"(["COAT"])"));
}

TEST(QdrantPlan, TakesVectorsOfColumns)
{
    auto source = products({{"vector", "vec"}});
    const auto operations = written(source, product(1, "coat", {}, floats({0.5, -1, 0.1F})));
    EXPECT_EQ(operations.at(0).at("upsert").at("points").at(0).at("vector"), json::parse("[0.5,-1,0.1]"));
    EXPECT_FALSE(operations.at(0).at("upsert").at("points").at(0).at("payload").contains("_hash"));
    EXPECT_EQ(written(source, product(1, "coat")).at(0).at("delete").at("points"), json::parse("[1]")) << "NULL: nothing to search it by";
    for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 1e39})
        EXPECT_TRUE(contains(refusal(source, product(1, "coat", {}, floats({1, bad}))), "not finite, or too large"));
    EXPECT_TRUE(contains(refusal(source, product(1, "coat", {}, floats({}))), "empty array"));
    auto with_null = floats({1, 2});
    with_null.items[1] = std::monostate{};
    EXPECT_TRUE(contains(refusal(source, product(1, "coat", {}, with_null)), "holds NULL"));
    auto square = floats({1, 2, 3, 4});
    square.extents = {2, 2};
    EXPECT_TRUE(contains(refusal(source, product(1, "coat", {}, square)), "several dimensions"));
    source.options["dimensions"] = "3";
    EXPECT_EQ(refusal(source, product(1, "coat", {}, floats({1, 2}))), "the vector has 2 dimensions, not 3");

    source = products({{"vector", "vec"}});
    source.columns[3].type = {Kind::text};
    EXPECT_EQ(written(source, product(1, "coat", {}, std::string("[1,2.5e-3]"))).at(0).at("upsert").at("points").at(0).at("vector"),
              json::parse("[1,2.5e-3]"));
    for (const auto *const bad : {"", "[]", "[1,NaN]", "{1:0.5}/3", "[1],\"x\":[2]"})
        EXPECT_TRUE(contains(refusal(source, product(1, "coat", {}, std::string(bad))), "not of the form")) << bad;
}

TEST(QdrantPlan, WritesValuesByType)
{
    auto source = products({{"embed", "name"}, {"payload", "exact,loose,real,doc"}});
    source.columns = {{"id", {Kind::integer}},    {"name", {Kind::text}}, {"exact", {Kind::decimal, Kind::text, true}},
                      {"loose", {Kind::decimal}}, {"real", {Kind::real}}, {"doc", {Kind::json}}};
    const auto payload = written(source, {0,
                                          "1",
                                          false,
                                          {std::int64_t{1}, std::string("n"), std::string("12.50"), std::string("12345678901234567890.5"),
                                           std::numeric_limits<double>::quiet_NaN(), std::string(R"({"a": [1]})")},
                                          {}})
                             .at(0)
                             .at("upsert")
                             .at("points")
                             .at(0)
                             .at("payload");
    EXPECT_EQ(payload.at("exact"), 12.5);
    EXPECT_EQ(payload.at("loose"), "12345678901234567890.5");
    EXPECT_EQ(payload.at("real"), "NaN");
    EXPECT_EQ(payload.at("doc"), json::parse(R"({"a":[1]})"));
}

TEST(QdrantPlan, RefusesAPayloadThatNoRequestHolds)
{
    EXPECT_TRUE(contains(refusal(products(), product(1, std::string(25U << 20U, 'x'))), "more than Qdrant takes"));
}

TEST(QdrantKind, EnumeratesAfterAKey)
{
    const auto source = products();
    const auto mapping = qdrant().compile(source);
    const auto first = qdrant().enumerate(vector_server(), source, *mapping, "", 10);
    EXPECT_EQ(first.url, "http://qdrant/collections/products/points/scroll");
    EXPECT_FALSE(json::parse(first.body).contains("offset"));
    const auto body = json::parse(qdrant().enumerate(vector_server(), source, *mapping, "42", 10).body);
    EXPECT_EQ(body.at("offset"), 42);
    EXPECT_EQ(body.at("filter").at("must_not"), json::parse(R"([{"has_id":[42]}])"));
    EXPECT_EQ(
        qdrant().read_keys(response_of({{"result", {{"points", {{{"id", 1}, {"payload", {{"_key", "1"}}}}, {{"id", 2}, {"payload", nullptr}}}}}}})),
        std::vector<std::string>{"1"});
    for (const auto &strange : {json{}, json{{"result", 1}}, json{{"result", {{"points", 1}}}}})
        EXPECT_FALSE(qdrant().read_keys(response_of(strange)));
    EXPECT_FALSE(qdrant().read_keys(response_of({}, 500)));
}

TEST(QdrantKind, ProbesTheVersion)
{
    EXPECT_EQ(qdrant().probe(vector_server()).url, "http://qdrant/");
    const auto probe = [](const json &body, long status = 200) { return qdrant().read_probe(response_of(body, status)); };
    EXPECT_EQ(probe({{"title", "qdrant - vector search engine"}, {"version", "1.18.3"}}).version, "1.18.3");
    EXPECT_EQ(probe({{"title", "qdrant - vector search engine"}, {"version", "1.12.0"}}).outcome, Outcome::delivered);
    const auto old = probe({{"title", "qdrant - vector search engine"}, {"version", "1.9.7"}});
    EXPECT_EQ(old.outcome, Outcome::refused);
    EXPECT_TRUE(contains(old.detail, "1.12 or newer"));
    EXPECT_EQ(probe({{"version", {1}}}).outcome, Outcome::unknown);
    http::Response plain;
    plain.status = 401;
    plain.body = "Must provide an API key or an Authorization bearer token";
    EXPECT_EQ(qdrant().read_probe(plain).outcome, Outcome::unauthorized);
    EXPECT_EQ(qdrant().read_probe(plain).detail, plain.body);
}

TEST(QdrantKind, DescribesTheCollection)
{
    const auto source = products({{"embed", "name"}, {"collection", "shop \"x"}});
    EXPECT_TRUE(contains(complaint(source), "takes no collection"));
    const auto fine = products({{"embed", "name"}, {"collection", "shop"}});
    EXPECT_EQ(json::parse(qdrant().describe(fine, *qdrant().compile(fine))), json::parse(R"({"label":"shop","relationships":[]})"));
    EXPECT_FALSE(qdrant().capabilities().guarded);
}

} // namespace
} // namespace autosync::vector_test
