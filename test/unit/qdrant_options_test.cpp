// What a declaration may say, and what is said about one that makes no sense.
#include "qdrant_scene.hpp"

#include "targets/qdrant_mapping.hpp"
#include "targets/qdrant_point.hpp"

namespace autosync::vector_test {
namespace {

using targets::qdrant::compile_source;
using targets::qdrant::distance_of;
using Options = mapping::Options;

TEST(QdrantOptions, NeedSomethingToSearchBy)
{
    EXPECT_TRUE(contains(complaint(products({})), "needs one of the options"));
    EXPECT_EQ(complaint(products({{"embed", "name"}})), "");
    EXPECT_EQ(complaint(products({{"vector", "vec"}})), "");
    EXPECT_EQ(complaint(products({{"embed", R"({"a":"name","b":["name","description"]})"}, {"vector", R"({"c":"vec"})"}})), "");
}

TEST(QdrantOptions, RefuseWhatMakesNoSense)
{
    const std::vector<std::pair<Options, std::string>> wrong{
        {{{"embed", "name"}, {"vector", "vec"}}, "exclude each other"},
        {{{"embed", "name"}, {"embed_expression", "name"}}, "exclude each other"},
        {{{"embed", R"({"a":"name"})"}, {"vector", R"({"a":"vec"})"}}, "both embedded and taken from a column"},
        {{{"embed", R"({"a":"name"})"}, {"vector", "vec"}}, "either one unnamed vector or named ones"},
        {{{"embed", "nothing"}}, "does not have"},
        {{{"embed", "name"}, {"payload", "nothing"}}, "does not have"},
        {{{"vector", "id"}}, "neither an array of numbers nor of pgvector's type"},
        {{{"vector", "vec,name"}}, "several columns"},
        {{{"vector", "vec"}, {"model", "m"}}, "means nothing"},
        {{{"embed", "{"}}, "neither a list of columns nor a JSON object"},
        {{{"embed", "{}"}}, "neither a list of columns nor a JSON object"},
        {{{"embed", "[1]"}}, "is not a list of columns"},
        {{{"embed", "name"}, {"payload_indexes", R"({"name":"nonsense"})"}}, "unknown schema"},
        {{{"embed", "name"}, {"payload", "name"}, {"payload_indexes", R"({"id":"integer"})"}}, "not in the payload"},
        {{{"embed", "name"}, {"collection", "a/b"}}, "takes no collection of the name"},
        {{{"embed", "name"}, {"id", "key"}}, "only for a key of one column of type uuid"},
        {{{"embed", "name"}, {"id", "random"}}, "one of auto, uuid, key"},
    };
    for (const auto &[options, expected] : wrong)
        EXPECT_TRUE(contains(complaint(products(options)), expected)) << expected << " is not in: " << complaint(products(options));
    auto source = products({{"embed", "name"}});
    source.columns.push_back({"_v", {Kind::integer}});
    EXPECT_TRUE(contains(complaint(source), "a name that points need for themselves"));
    source.options["exclude"] = "_v";
    EXPECT_EQ(complaint(source), "");
}

TEST(QdrantOptions, LimitThePayload)
{
    const auto names = [](const Options &options) {
        std::string out;
        const auto compiled = compile_source(products(options));
        for (const auto &field : compiled->payload)
            out += field.json_name;
        return out;
    };
    EXPECT_EQ(names({{"embed", "name"}}), R"("id":"name":"description":"vec":)");
    EXPECT_EQ(names({{"vector", "vec"}}), R"("id":"name":"description":)");
    EXPECT_EQ(names({{"embed", "name"}, {"exclude", "description,vec"}}), R"("id":"name":)");
    EXPECT_EQ(names({{"embed", "name"}, {"columns", "id"}}), R"("id":)");
    EXPECT_EQ(names({{"embed", "name"}, {"payload", R"(["description","id"])"}}), R"("description":"id":)");
    EXPECT_EQ(names({{"embed", "name"}, {"payload", "[]"}}), "");
}

TEST(QdrantOptions, OfSyncAndServerTogether)
{
    auto server = vector_server();
    const auto mapping = compile_source(products());
    EXPECT_EQ(model_of(server, *mapping), "m");
    EXPECT_EQ(dimensions_of(server, *mapping), 0U);
    EXPECT_EQ(distance_of(server), "Cosine");
    server.options = {{"dimensions", "256"}, {"distance", "Dot"}};
    EXPECT_EQ(dimensions_of(server, *mapping), 256U);
    EXPECT_EQ(distance_of(server), "Dot");
    const auto own = compile_source(products({{"embed", "name"}, {"model", "other"}, {"dimensions", "64"}}));
    EXPECT_EQ(model_of(server, *own), "other");
    EXPECT_EQ(dimensions_of(server, *own), 64U);
    EXPECT_EQ(server_problem(server, *own), "");
    server.embedder->model = "";
    EXPECT_TRUE(contains(server_problem(server, *mapping), "no model to embed with"));
    server.embedder.reset();
    EXPECT_TRUE(contains(server_problem(server, *own), "has no embedder"));
    EXPECT_EQ(server_problem(server, *compile_source(products({{"vector", "vec"}}))), "");
}

TEST(QdrantOptions, OfATableThatIsGoneAreEnoughToPurgeIt)
{
    auto source = products({{"embed", "name"}, {"collection", "c"}});
    source.columns.clear();
    const auto mapping = qdrant().compile(source);
    const auto request = qdrant().purge(vector_server(), source, *mapping, 10);
    EXPECT_EQ(request.url, "http://qdrant/collections/c/points/delete?wait=true");
    EXPECT_EQ(json::parse(request.body), json::parse(R"({"filter":{"must":[{"key":"_source","match":{"value":"public.products"}}]}})"));
}

TEST(QdrantIds, ComeFromTheKey)
{
    auto source = products();
    const auto id = [&](const std::string &key) { return targets::qdrant::point_id(*compile_source(source), key); };
    EXPECT_EQ(id("42"), "42");
    EXPECT_EQ(id("0"), "0");
    EXPECT_EQ(id("9223372036854775807"), "9223372036854775807");
    EXPECT_EQ(id("-1").size(), 38U);
    source.options["id"] = "uuid";
    EXPECT_EQ(id("42").size(), 38U);
    EXPECT_NE(id("42"), id("43"));
    source.columns[0].type.kind = Kind::text;
    source.options.erase("id");
    EXPECT_EQ(id("42").size(), 38U) << "the text 42 is no number";
    source.name = "public.docs";
    EXPECT_EQ(id("a"), "\"600f588c-9d82-5147-84b8-a9355aa8d7eb\"");
    source.options["id"] = "key";
    EXPECT_EQ(id("600f588c-9d82-5147-84b8-a9355aa8d7eb"), "\"600f588c-9d82-5147-84b8-a9355aa8d7eb\"");
    EXPECT_THROW((void)id("42"), std::invalid_argument);
    source.options.erase("id");
    source.key = {"id", "name"};
    EXPECT_EQ(id(R"({"id": 1, "name": "x"})").size(), 38U);
}

} // namespace
} // namespace autosync::vector_test
