// Making or checking a collection, putting another in its place, and searching it.
#include <limits>

#include "qdrant_scene.hpp"

#include "targets/qdrant_collection.hpp"
#include "targets/qdrant_prepare.hpp"
#include "targets/qdrant_rebuild.hpp"
#include "targets/qdrant_search.hpp"

namespace autosync::vector_test {
namespace {

using namespace targets::qdrant;

/// Qdrant's collections and aliases, as far as a preparation asks for them.
struct Collections {
    json collections = json::object(); ///< name -> vectors
    json aliases = json::array();
    std::string model; ///< of the points that are there; empty: there are none
    Parts parts;

    Collections()
    {
        parts.instead = [this](const http::Request &request) { return answer(request); };
    }
    http::Response answer(const http::Request &request)
    {
        const std::string base = "http://qdrant/collections/";
        const auto body = json::parse(request.body, nullptr, false);
        if (request.url == "http://qdrant/aliases")
            return response_of({{"result", {{"aliases", aliases}}}});
        if (request.url == base + "aliases") {
            for (const auto &action : body.at("actions"))
                if (action.contains("create_alias"))
                    aliases.push_back(action.at("create_alias"));
            return response_of({{"result", true}});
        }
        if (request.url.ends_with("/points/scroll"))
            return response_of({{"result", {{"points", model.empty() ? json::array() : json{{{"id", 1}, {"payload", {{"_model", model}}}}}}}}});
        if (!request.url.starts_with(base) || request.url.find('/', base.size()) != std::string::npos)
            return {};
        const auto name = request.url.substr(base.size());
        if (request.method == "PUT") {
            if (collections.contains(name))
                return response_of({{"status", {{"error", "exists"}}}}, 409);
            collections[name] = body.at("vectors");
            return response_of({{"result", true}});
        }
        if (!collections.contains(name))
            return response_of({{"status", {{"error", "Not found"}}}}, 404);
        return response_of({{"result", {{"config", {{"params", {{"vectors", collections.at(name)}}}}}}}});
    }
    Verdict prepare(const Source &source, const targets::Server &server = vector_server())
    {
        const auto mapping = qdrant().compile(source);
        const auto planned = qdrant().prepare(server, source, *mapping);
        EXPECT_EQ(planned.size(), 1U);
        return parts.talk(qdrant(), server, planned.at(0));
    }
};

json params(std::size_t size, const std::string &distance = "Cosine") { return {{"size", size}, {"distance", distance}}; }

TEST(QdrantPrepare, MakesACollectionBehindAnAlias)
{
    Collections there;
    const auto verdict = there.prepare(products({{"embed", "name"}, {"payload_indexes", R"({"name":"keyword"})"}}));
    EXPECT_EQ(verdict.outcome, Outcome::delivered) << verdict.message;
    EXPECT_EQ(there.collections, (json{{"products_1", params(2)}})) << "of the size that the model gives";
    EXPECT_EQ(there.aliases, json::parse(R"([{"collection_name":"products_1","alias_name":"products"}])"));
    EXPECT_EQ(verdict.usage.requests, 1U);
    const auto &asked = there.parts.asked;
    EXPECT_EQ(asked[asked.size() - 2].url, "http://qdrant/collections/products_1/index?wait=true");
    EXPECT_EQ(json::parse(asked[asked.size() - 2].body), json::parse(R"({"field_name":"_source","field_schema":"keyword"})"));
    EXPECT_EQ(json::parse(asked.back().body), json::parse(R"({"field_name":"name","field_schema":"keyword"})"));
    there.model = "m";
    EXPECT_EQ(there.prepare(products()).outcome, Outcome::delivered) << "a second time";
    EXPECT_EQ(there.collections.size(), 1U);
}

TEST(QdrantPrepare, DeclaresNamedVectors)
{
    Collections there;
    EXPECT_EQ(there.prepare(products({{"embed", R"({"a":"name"})"}, {"vector", R"({"b":"vec"})"}, {"dimensions", "8"}})).outcome, Outcome::delivered);
    EXPECT_EQ(there.collections.at("products_1"), (json{{"a", params(8)}, {"b", params(8)}})) << "what is declared is not asked for";
    there.collections.clear();
    there.aliases.clear();
    auto server = vector_server();
    server.options["distance"] = "Dot";
    EXPECT_EQ(there.prepare(products({{"vector", R"({"b":"vec","c":"vec"})"}, {"dimensions", "8"}}), server).outcome, Outcome::delivered);
    EXPECT_EQ(there.collections.at("products_1"), (json{{"b", params(8, "Dot")}, {"c", params(8, "Dot")}}));
}

TEST(QdrantPrepare, TakesACollectionThatIsThere)
{
    Collections there;
    there.collections["products"] = params(2);
    EXPECT_EQ(there.prepare(products()).outcome, Outcome::delivered);
    EXPECT_EQ(there.collections.size(), 1U);
    EXPECT_TRUE(there.aliases.empty());
}

TEST(QdrantPrepare, SaysWhatDoesNotFit)
{
    const auto message = [](const json &vectors, const mapping::Options &options, const std::string &model = "") {
        Collections there;
        there.collections["products"] = vectors;
        there.model = model;
        const auto verdict = there.prepare(products(options));
        EXPECT_EQ(verdict.outcome, Outcome::refused);
        return verdict.message;
    };
    const auto remedy = std::string("autosync.rebuild('public.products', 'vectors')");
    for (const auto &said : {message(params(3), {{"embed", "name"}, {"dimensions", "2"}}), message(params(3), {{"embed", "name"}}),
                             message(params(2, "Dot"), {{"embed", "name"}}), message(json{{"a", params(2)}}, {{"embed", "name"}}),
                             message(params(2), {{"embed", R"({"a":"name"})"}}), message(params(2), {{"embed", "name"}}, "older")})
        EXPECT_TRUE(contains(said, remedy)) << said;
    EXPECT_TRUE(contains(message(params(2), {{"embed", "name"}}, "older"), "holds embeddings of model \"older\", the sync declares \"m\""));
    Collections none;
    EXPECT_TRUE(contains(none.prepare(products({{"vector", "vec"}})).message, "set option \"dimensions\""));
    auto server = vector_server();
    server.embedder.reset();
    EXPECT_TRUE(contains(none.prepare(products(), server).message, "has no embedder"));
    EXPECT_TRUE(none.collections.empty());
}

TEST(QdrantPrepare, MakesTheCollectionOfARebuildWithoutTouchingTheAlias)
{
    Collections there;
    there.collections["products_1"] = params(3);
    there.aliases = json::parse(R"([{"collection_name":"products_1","alias_name":"products"}])");
    EXPECT_EQ(there.prepare(products({{"embed", "name"}, {"rebuild_collection", "products_2"}})).outcome, Outcome::delivered);
    EXPECT_EQ(there.collections.at("products_2"), params(2));
    EXPECT_EQ(there.aliases.size(), 1U);
}

TEST(QdrantPrepare, TrustsNoAnswer)
{
    const std::vector<http::Response> strange{response_of({}),
                                              response_of({{"result", 7}}),
                                              response_of(json::array()),
                                              response_of({}, 500),
                                              response_of({}, 401),
                                              response_of({{"result", {{"config", 1}}}}),
                                              response_of({{"result", {{"aliases", {1, {{"alias_name", 1}}}}}}})};
    for (const auto &response : strange) {
        for (std::size_t at = 0; at < 6; ++at) {
            Collections there;
            const auto usual = there.parts.instead;
            std::size_t asked = 0;
            there.parts.instead = [&](const http::Request &request) { return asked++ == at ? response : usual(request); };
            const auto verdict = there.prepare(products());
            EXPECT_FALSE(verdict.outcome == Outcome::unknown) << "a preparation is asked for anew";
        }
    }
}

TEST(QdrantRebuild, NumbersCollections)
{
    EXPECT_EQ(next_collection("products", "products"), "products_1");
    EXPECT_EQ(next_collection("products", "products_1"), "products_2");
    EXPECT_EQ(next_collection("products", "products_41"), "products_42");
    EXPECT_EQ(next_collection("products", "products_old"), "products_1");
    EXPECT_EQ(next_collection("products", "elsewhere"), "products_1");
}

TEST(QdrantRebuild, SwitchesAnAliasInOneStep)
{
    const auto requests = switch_collections(vector_server(), "p", "p_1", "p_2");
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_EQ(json::parse(requests[0].request.body),
              json::parse(R"({"actions":[{"delete_alias":{"alias_name":"p"}},{"create_alias":{"collection_name":"p_2","alias_name":"p"}}]})"));
    EXPECT_EQ(requests[1].request.method, "DELETE");
    EXPECT_EQ(requests[1].request.url, "http://qdrant/collections/p_1");
    const auto plain = switch_collections(vector_server(), "p", "p", "p_1");
    ASSERT_EQ(plain.size(), 2U);
    EXPECT_EQ(plain[0].request.url, "http://qdrant/collections/p");
    EXPECT_EQ(json::parse(plain[1].request.body), json::parse(R"({"actions":[{"create_alias":{"collection_name":"p_1","alias_name":"p"}}]})"));
    EXPECT_EQ(switch_collections(vector_server(), "p", "p_2", "p_2").size(), 1U) << "it has happened already: nothing is lost";
    EXPECT_EQ(qdrant().interpret(vector_server(), requests[1], response_of({}, 404)).outcome, Outcome::delivered);
}

TEST(QdrantRebuild, KnowsWhatIsBehindAnAlias)
{
    const auto response = response_of({{"result", {{"aliases", {{{"alias_name", "a"}, {"collection_name", "a_3"}}}}}}});
    EXPECT_EQ(behind_alias(response, "a"), "a_3");
    EXPECT_EQ(behind_alias(response, "b"), "b");
    EXPECT_EQ(behind_alias(response_of({}), "a"), "");
}

TEST(QdrantSearch, AsksWithTheModelThatIsThere)
{
    const auto source = products({{"embed", "name"}, {"dimensions", "8"}});
    const auto mapping = compile_source(source);
    const auto server = vector_server();
    EXPECT_EQ(model_request(server, *mapping).url, "http://qdrant/collections/products/points/scroll");
    EXPECT_EQ(read_model(response_of({{"result", {{"points", {{{"payload", {{"_model", "older"}}}}}}}}})).value, "older");
    EXPECT_EQ(read_model(response_of({{"result", {{"points", json::array()}}}})).problem.outcome, Outcome::delivered);
    EXPECT_TRUE(read_model(response_of({}, 404)).problem.unprepared);
    const auto declared = json::parse(query_embedding(server, *mapping, "", "warm").body);
    EXPECT_EQ(declared.at("model"), "m");
    EXPECT_EQ(declared.at("dimensions"), 8);
    const auto older = json::parse(query_embedding(server, *mapping, "older", "warm").body);
    EXPECT_EQ(older.at("model"), "older");
    EXPECT_FALSE(older.contains("dimensions"));
}

TEST(QdrantSearch, FindsKeysOfItsOwnSource)
{
    const auto server = vector_server();
    const auto plain = search_request(server, *compile_source(products()), "[1,2]", 5, R"({"must":[{"key":"name","match":{"value":"x"}}]})");
    EXPECT_EQ(plain.url, "http://qdrant/collections/products/points/query");
    EXPECT_EQ(json::parse(plain.body),
              json::parse(R"({"query":[1,2],"limit":5,"with_payload":{"include":["_key"]},"with_vector":false,"filter":{"must":[
        {"key":"_source","match":{"value":"public.products"}},{"must":[{"key":"name","match":{"value":"x"}}]}]}})"));
    const auto named = search_request(server, *compile_source(products({{"vector", R"({"a":"vec"})"}, {"embed", R"({"b":"name"})"}})), "[1]", 1, "");
    EXPECT_EQ(json::parse(named.body).at("using"), "b");
    const auto hits =
        read_hits(response_of({{"result", {{"points", {{{"id", 1}, {"score", 0.5}, {"payload", {{"_key", "7"}}}}, {{"id", 2}, {"score", 1}}}}}}}));
    ASSERT_EQ(hits.value.size(), 1U) << "one is not ours";
    EXPECT_EQ(hits.value[0].key, "7");
    EXPECT_EQ(hits.value[0].score, 0.5);
    EXPECT_EQ(read_hits(response_of({{"status", {{"error", "Format error in JSON body"}}}}, 400)).problem.outcome, Outcome::refused);
    for (const auto &strange : {json{}, json::array(), json{{"result", {{"points", {1}}}}}, json{{"result", {{"points", {{{"score", "x"}}}}}}}})
        EXPECT_EQ(read_hits(response_of(strange)).problem.outcome, Outcome::unreachable) << strange;
}

} // namespace
} // namespace autosync::vector_test
