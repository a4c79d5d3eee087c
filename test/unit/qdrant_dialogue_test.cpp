// The conversation of a delivery: what is there? — embed what is new — write.
#include "qdrant_scene.hpp"

#include "embed/hash.hpp"

namespace autosync::vector_test {
namespace {

using namespace std::chrono_literals;
using Failure = http::Response::Failure;

std::string hash_of(const std::string &text) { return embed::fingerprint("m", 0, text); }

json stored(std::int64_t id, std::int64_t version, const json &hash) { return {{"id", id}, {"payload", {{"_v", version}, {"_hash", hash}}}}; }

http::Response failure(Failure why)
{
    http::Response response;
    response.failure = why;
    response.error = "trouble";
    return response;
}

/// Answers `response` to requests whose URL ends so, as often as asked.
auto answering(const std::string &end, http::Response response)
{
    return [end, response](const http::Request &request) { return request.url.ends_with(end) ? response : http::Response{}; };
}

struct Delivered {
    Scene scene;
    Parts parts;
    Verdict verdict;
};

Delivered deliver(std::vector<Change> changes, json there = json::array(), std::function<http::Response(const http::Request &)> instead = {},
                  const mapping::Options &options = {{"embed", "name"}})
{
    Delivered done;
    done.scene.source = products(options);
    done.scene.changes = std::move(changes);
    done.parts.stored = std::move(there);
    done.parts.instead = std::move(instead);
    done.verdict = done.parts.deliver(done.scene);
    return done;
}

TEST(QdrantDialogue, EmbedsAndWritesWhatIsNew)
{
    const auto done = deliver({product(1, "coat"), product(2, "hat"), product(3, "coat"), gone(4)});
    EXPECT_EQ(done.verdict.outcome, Outcome::delivered);
    ASSERT_EQ(done.parts.asked.size(), 3U);
    EXPECT_EQ(json::parse(done.parts.asked[1].body).at("input"), json::parse(R"(["coat","hat"])")) << "each text once";
    const auto operations = done.parts.last().at("operations");
    ASSERT_EQ(operations.size(), 1U) << "what is not there needs no removal";
    const auto points = operations[0].at("upsert").at("points");
    ASSERT_EQ(points.size(), 3U);
    EXPECT_EQ(points[0].at("vector"), json::parse("[4,0.5]"));
    EXPECT_EQ(points[1].at("vector"), json::parse("[3,0.5]"));
    EXPECT_EQ(points[2].at("vector"), points[0].at("vector"));
    EXPECT_EQ(points[0].at("payload").at("_hash"), hash_of("coat"));
    EXPECT_EQ(done.verdict.usage, (embed::Usage{2, 6, 1, 1}));
}

TEST(QdrantDialogue, WritesOnlyThePayloadOfAnUnchangedText)
{
    const auto done = deliver({product(1, "coat"), product(2, "hat")}, {stored(1, 5, hash_of("coat")), stored(2, 5, hash_of("cap"))});
    EXPECT_EQ(done.verdict.outcome, Outcome::delivered);
    const auto operations = done.parts.last().at("operations");
    ASSERT_EQ(operations.size(), 2U);
    EXPECT_EQ(operations[0].at("upsert").at("points").at(0).at("id"), 2);
    EXPECT_EQ(operations[1].at("overwrite_payload").at("points"), json::parse("[1]"));
    EXPECT_EQ(operations[1].at("overwrite_payload").at("payload").at("_v"), 1'000);
    EXPECT_EQ(done.verdict.usage.skipped, 1U);
    EXPECT_EQ(done.verdict.usage.texts, 1U);
}

TEST(QdrantDialogue, RemovesRowsAndBlankTexts)
{
    const auto done = deliver({gone(1), product(2, " "), gone(3)}, {stored(1, 5, "x"), stored(2, 5, "y")});
    EXPECT_EQ(done.verdict.outcome, Outcome::delivered);
    EXPECT_EQ(done.parts.last(), json::parse(R"({"operations":[{"delete":{"points":[1,2]}}]})"));
    EXPECT_EQ(deliver({gone(1)}).parts.asked.size(), 1U) << "nothing there: nothing to do";
}

TEST(QdrantDialogue, IsStaleWhenTheTargetIsNewer)
{
    const auto done = deliver({product(1, "coat"), gone(2)}, {stored(2, 1'001, "x")});
    EXPECT_EQ(done.verdict.outcome, Outcome::stale);
    EXPECT_EQ(done.verdict.newer_version, 1'001);
    EXPECT_EQ(done.parts.asked.size(), 1U);
    EXPECT_EQ(deliver({gone(2)}, {stored(2, 1'000, "x")}).parts.asked.size(), 1U) << "written by this very round";
    for (const auto &strange : {json("x"), json(-1), json(1e300), json(std::uint64_t{1} << 63U), json(nullptr), json::array()}) {
        const json point{{"id", 2}, {"payload", {{"_v", strange}}}};
        EXPECT_EQ(deliver({gone(2)}, {point}).verdict.outcome, Outcome::delivered) << strange;
    }
}

TEST(QdrantDialogue, PaysOnceWhateverFailsBehind)
{
    Scene scene;
    scene.source = products({{"embed", "name"}});
    scene.changes = {product(1, "coat")};
    Parts parts;
    parts.instead = answering("/batch?wait=true", response_of({{"status", {{"error", "no"}}}}, 500));
    EXPECT_EQ(parts.deliver(scene).outcome, Outcome::unreachable);
    parts.instead = {};
    const auto verdict = parts.deliver(scene);
    EXPECT_EQ(verdict.outcome, Outcome::delivered);
    EXPECT_EQ(verdict.usage, (embed::Usage{0, 0, 0, 1}));
}

TEST(QdrantDialogue, ChangesOnlyTheNamedVectorsThatDiffer)
{
    const mapping::Options named{{"embed", R"({"a":"name","b":"description"})"}};
    const auto first = deliver({product(1, "coat", std::string("warm"))}, json::array(), {}, named);
    EXPECT_EQ(first.parts.last().at("operations").at(0).at("upsert").at("points").at(0).at("vector"), json::parse(R"({"a":[4,0.5],"b":[4,0.5]})"));
    const json hashes{{"a", hash_of("coat")}, {"b", hash_of("cold")}};
    const auto second = deliver({product(1, "coat", std::string("warm"))}, {stored(1, 5, hashes)}, {}, named);
    const auto operations = second.parts.last().at("operations");
    ASSERT_EQ(operations.size(), 3U);
    EXPECT_EQ(operations[0], json::parse(R"({"delete_payload":{"keys":["_hash"],"points":[1]}})"));
    EXPECT_EQ(operations[1], json::parse(R"({"update_vectors":{"points":[{"id":1,"vector":{"b":[4,0.5]}}]}})"));
    EXPECT_EQ(operations[2].at("overwrite_payload").at("payload").at("_hash"), (json{{"a", hash_of("coat")}, {"b", hash_of("warm")}}));
    const auto third = deliver({product(1, "coat")}, {stored(1, 5, hashes)}, {}, named);
    EXPECT_EQ(third.parts.last().at("operations").at(1), json::parse(R"({"delete_vectors":{"vector":["b"],"points":[1]}})"));
    EXPECT_EQ(third.parts.last().at("operations").at(2).at("overwrite_payload").at("payload").at("_hash"), (json{{"a", hash_of("coat")}}));
}

TEST(QdrantDialogue, FillsANewCollectionAndRemovesFromBoth)
{
    const auto done = deliver({product(1, "coat"), gone(2)}, json::array(), {}, {{"embed", "name"}, {"rebuild_collection", "products_2"}});
    EXPECT_EQ(done.verdict.outcome, Outcome::delivered);
    ASSERT_EQ(done.parts.asked.size(), 4U);
    EXPECT_EQ(done.parts.asked[0].url, "http://qdrant/collections/products_2/points");
    EXPECT_EQ(done.parts.asked[2].url, "http://qdrant/collections/products_2/points/batch?wait=true");
    EXPECT_EQ(done.parts.asked[3].url, "http://qdrant/collections/products/points/delete?wait=true");
    EXPECT_EQ(done.parts.last(), json::parse(R"({"points":[2]})"));
    const auto missing = deliver({gone(2)}, json::array(), answering("/delete?wait=true", response_of({}, 404)),
                                 {{"embed", "name"}, {"rebuild_collection", "products_2"}});
    EXPECT_EQ(missing.verdict.outcome, Outcome::delivered);
}

TEST(QdrantDialogue, StaysWithinTheEmbeddersLimits)
{
    Scene scene;
    scene.source = products({{"embed", "name"}});
    scene.server.embedder->max_inputs = 2;
    scene.changes = {product(1, "a"), product(2, "bb"), product(3, "ccc")};
    Parts parts;
    EXPECT_EQ(parts.deliver(scene).outcome, Outcome::delivered);
    EXPECT_EQ(json::parse(parts.asked[1].body).at("input").size(), 2U);
    EXPECT_EQ(json::parse(parts.asked[2].body).at("input").size(), 1U);
    EXPECT_EQ(parts.last().at("operations").at(0).at("upsert").at("points").size(), 3U);
}

/// An embedder that takes texts of this length together, and complains as OpenAI does.
auto taking(std::size_t bytes)
{
    return [bytes](const http::Request &request) {
        if (request.peer != http::Peer::embedder)
            return http::Response{};
        std::size_t sum = 0;
        const auto body = json::parse(request.body);
        for (const auto &text : body.at("input"))
            sum += text.get<std::string>().size();
        return sum <= bytes ? http::Response{} : response_of({{"error", {{"message", "maximum context length is exceeded"}}}}, 400);
    };
}

TEST(QdrantDialogue, AsksForLessAtOnceWhenItIsTooMuch)
{
    const auto done = deliver({product(1, "aaaa"), product(2, "bbbb1"), product(3, "cccc12")}, json::array(), taking(6));
    EXPECT_EQ(done.verdict.outcome, Outcome::delivered);
    EXPECT_EQ(done.verdict.usage.texts, 3U);
    EXPECT_GT(done.verdict.usage.requests, 3U);
    EXPECT_EQ(done.parts.last().at("operations").at(0).at("upsert").at("points").size(), 3U);
}

TEST(QdrantDialogue, CutsOrRefusesATextThatIsTooLong)
{
    const std::string text(100, 'x');
    const auto refused = deliver({product(1, text)}, json::array(), taking(30));
    EXPECT_EQ(refused.verdict.outcome, Outcome::refused);
    EXPECT_TRUE(contains(refused.verdict.message, "context length"));
    const auto cut = deliver({product(1, text)}, json::array(), taking(30), {{"embed", "name"}, {"overflow", "truncate"}});
    EXPECT_EQ(cut.verdict.outcome, Outcome::delivered);
    const auto point = cut.parts.last().at("operations").at(0).at("upsert").at("points").at(0);
    EXPECT_EQ(point.at("vector").at(0), 25);
    EXPECT_EQ(point.at("payload").at("_hash"), hash_of(text)) << "of the whole text: it is not embedded again while it stays";
    EXPECT_EQ(point.at("payload").at("name"), text);
    EXPECT_EQ(deliver({product(1, text)}, json::array(), taking(0), {{"embed", "name"}, {"overflow", "truncate"}}).verdict.outcome, Outcome::refused);
}

TEST(QdrantDialogue, TellsHowTheEmbedderFails)
{
    const auto outcome = [](http::Response response) {
        return deliver({product(1, "coat")}, json::array(), answering("/embeddings", std::move(response))).verdict;
    };
    EXPECT_EQ(outcome(response_of({}, 401)).outcome, Outcome::unauthorized);
    EXPECT_EQ(outcome(response_of({}, 500)).outcome, Outcome::unreachable);
    EXPECT_EQ(outcome(response_of({{"error", {{"message", "x"}}}}, 400)).outcome, Outcome::refused);
    EXPECT_EQ(outcome(failure(Failure::connect)).outcome, Outcome::unreachable);
    EXPECT_EQ(outcome(failure(Failure::timeout)).outcome, Outcome::unreachable);
    EXPECT_EQ(outcome(failure(Failure::broken)).outcome, Outcome::unreachable) << "nothing was written";
    auto slow = response_of({}, 429);
    slow.retry_after = 9s;
    EXPECT_EQ(outcome(slow).outcome, Outcome::throttled);
    EXPECT_EQ(outcome(slow).retry_after, 9s);
    auto quota = response_of({{"error", {{"message", "You exceeded your current quota"}, {"code", "insufficient_quota"}}}}, 429);
    EXPECT_EQ(outcome(quota).outcome, Outcome::unauthorized);
    EXPECT_TRUE(contains(outcome(quota).message, "quota"));
}

TEST(QdrantDialogue, TellsHowReadingFails)
{
    const auto verdict = [](http::Response response) {
        return deliver({product(1, "coat")}, json::array(), answering("/points", std::move(response))).verdict;
    };
    const auto missing = verdict(response_of({{"status", {{"error", "Not found: Collection `products` doesn't exist!"}}}}, 404));
    EXPECT_EQ(missing.outcome, Outcome::unreachable);
    EXPECT_TRUE(missing.unprepared);
    EXPECT_EQ(verdict(failure(Failure::timeout)).outcome, Outcome::unreachable);
    EXPECT_EQ(verdict(failure(Failure::broken)).outcome, Outcome::unreachable);
    EXPECT_EQ(verdict(response_of({}, 403)).outcome, Outcome::unauthorized);
    EXPECT_EQ(verdict(response_of({}, 429)).outcome, Outcome::throttled);
    for (const auto &strange : {json{}, json::array(), json{{"result", nullptr}}, json{{"result", {1}}}, json{{"result", {{{"payload", 1}}}}}})
        EXPECT_EQ(verdict(response_of(strange)).outcome, Outcome::unreachable) << strange;
    http::Response deep;
    deep.status = 200;
    deep.body = std::string(200'000, '[');
    EXPECT_EQ(verdict(deep).outcome, Outcome::unreachable);
}

TEST(QdrantDialogue, TellsHowWritingFails)
{
    const auto verdict = [](http::Response response) {
        return deliver({product(1, "coat")}, json::array(), answering("/batch?wait=true", std::move(response))).verdict;
    };
    EXPECT_EQ(verdict(failure(Failure::connect)).outcome, Outcome::unreachable);
    EXPECT_EQ(verdict(failure(Failure::timeout)).outcome, Outcome::unknown);
    EXPECT_EQ(verdict(failure(Failure::broken)).outcome, Outcome::unknown);
    EXPECT_EQ(verdict(response_of({}, 504)).outcome, Outcome::unknown);
    EXPECT_EQ(verdict(response_of({}, 202)).outcome, Outcome::unknown);
    EXPECT_EQ(verdict(response_of({}, 500)).outcome, Outcome::unreachable);
    EXPECT_EQ(verdict(response_of({}, 422)).outcome, Outcome::refused);
    EXPECT_TRUE(verdict(response_of({}, 413)).halve);
    EXPECT_TRUE(verdict(response_of({{"status", {{"error", "JSON payload (9 bytes) is larger than allowed (limit: 3 bytes)."}}}}, 400)).halve);
    for (const auto *const status : {"acknowledged", "wait_timeout", ""})
        EXPECT_EQ(verdict(response_of({{"result", {{{"status", status}}}}})).outcome, Outcome::unknown) << status;
    for (const auto &strange : {json{}, json{{"result", json::array()}}, json{{"result", true}}, json{{"result", {1, 2}}}})
        EXPECT_EQ(verdict(response_of(strange)).outcome, Outcome::unknown) << strange;
    const auto size = verdict(response_of({{"status", {{"error", "Wrong input: Vector dimension error: expected dim: 3, got 2"}}}}, 400));
    EXPECT_EQ(size.outcome, Outcome::unreachable) << "no row's fault";
    EXPECT_TRUE(size.unprepared);
}

TEST(QdrantDialogue, BeginsAnewWhenAPointHasGone)
{
    int failures = 0;
    const auto done = deliver({product(1, "coat")}, {stored(1, 5, hash_of("coat"))}, [&failures](const http::Request &request) {
        if (!request.url.ends_with("/batch?wait=true") || failures++ > 0)
            return http::Response{};
        return response_of({{"status", {{"error", "Not found: No point with id 1 found"}}}}, 404);
    });
    EXPECT_EQ(done.verdict.outcome, Outcome::delivered);
    EXPECT_EQ(done.parts.asked.size(), 4U);
    const auto always = deliver({product(1, "coat")}, {stored(1, 5, hash_of("coat"))},
                                answering("/batch?wait=true", response_of({{"status", {{"error", "Not found: No point with id 1 found"}}}}, 404)));
    EXPECT_EQ(always.verdict.outcome, Outcome::unreachable);
}

} // namespace
} // namespace autosync::vector_test
