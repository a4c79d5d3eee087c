// Conversations with a repository.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "atproto/cid.hpp"
#include "atproto/record.hpp"
#include "targets/atproto_dialogue.hpp"

namespace autosync::targets::atproto {
namespace {

/// A context with some posts of one identity.
struct Scene {
    explicit Scene(std::size_t count)
    {
        Session session;
        session.did = "did:plc:abc";
        session.pds = "http://pds";
        session.access = std::make_shared<http::Access>();
        context.sessions[session.did] = session;
        context.budgets = &budgets;
        for (std::size_t i = 0; i < count; ++i) {
            Intent intent;
            intent.at = {"did:plc:abc", "com.example.note", std::string(1, static_cast<char>('a' + i))};
            intent.record = "{}";
            intent.cid = "c" + std::to_string(i);
            intent.there = There::no;
            context.intents.push_back(intent);
            all.push_back(i);
        }
    }
    static http::Response answer(long status, std::string body)
    {
        http::Response response;
        response.status = status;
        response.body = std::move(body);
        return response;
    }

    std::map<std::string, autosync::atproto::Budget> budgets;
    Context context;
    std::vector<std::size_t> all;
};

TEST(AtprotoDialogue, ABatchIsWrittenAndRemembered)
{
    Scene scene{3};
    scene.context.intents[1].there = There::yes;
    scene.context.intents[2].record.clear();
    scene.context.intents[2].there = There::yes;
    const auto planned = plan_batch(scene.context, scene.all);
    EXPECT_EQ(planned.request.url, "http://pds/xrpc/com.atproto.repo.applyWrites");
    EXPECT_EQ(planned.request.body,
              R"({"repo":"did:plc:abc","writes":[{"$type":"com.atproto.repo.applyWrites#create","collection":"com.example.note","rkey":"a","value":{}},)"
              R"({"$type":"com.atproto.repo.applyWrites#update","collection":"com.example.note","rkey":"b","value":{}},)"
              R"({"$type":"com.atproto.repo.applyWrites#delete","collection":"com.example.note","rkey":"c"}]})");
    const auto verdict = planned.dialogue->hear(Scene::answer(200, R"({"results":[{"cid":"x0"},{"cid":"c1"},{}]})"));
    EXPECT_EQ(verdict.outcome, Outcome::delivered);
    EXPECT_EQ(scene.context.intents[0].confirmed, "x0");
    EXPECT_EQ(scene.context.intents[1].confirmed, "c1");
    EXPECT_EQ(scene.context.intents[2].there, There::no);
    EXPECT_EQ(scene.budgets["did:plc:abc"].left(std::chrono::steady_clock::now()), 5'000U - 6U);
}

/// The answer of an earlier attempt was lost: one record is there already, one to be removed is gone. A blind repetition would be refused for ever.
TEST(AtprotoDialogue, A500IsLookedIntoAndTheBatchRebuilt)
{
    Scene scene{3};
    scene.context.intents[2].record.clear();
    scene.context.intents[2].there = There::yes;
    const auto planned = plan_batch(scene.context, scene.all);
    auto verdict = planned.dialogue->hear(Scene::answer(500, R"({"error":"InternalServerError","message":"Internal Server Error"})"));
    ASSERT_TRUE(verdict.follow_up);
    EXPECT_EQ(verdict.follow_up->method, "GET");
    EXPECT_EQ(verdict.follow_up->url, "http://pds/xrpc/com.atproto.repo.getRecord?repo=did:plc:abc&collection=com.example.note&rkey=c");
    verdict = planned.dialogue->hear(Scene::answer(400, R"({"error":"RecordNotFound"})"));
    ASSERT_TRUE(verdict.follow_up);
    verdict = planned.dialogue->hear(Scene::answer(400, R"({"error":"RecordNotFound"})")); // b
    ASSERT_TRUE(verdict.follow_up);
    verdict = planned.dialogue->hear(Scene::answer(200, R"({"cid":"older"})")); // a
    ASSERT_TRUE(verdict.follow_up);
    EXPECT_EQ(verdict.follow_up->body,
              R"({"repo":"did:plc:abc","writes":[{"$type":"com.atproto.repo.applyWrites#update","collection":"com.example.note","rkey":"a","value":{}},)"
              R"({"$type":"com.atproto.repo.applyWrites#create","collection":"com.example.note","rkey":"b","value":{}}]})");
    verdict = planned.dialogue->hear(Scene::answer(500, R"({"error":"InternalServerError"})"));
    EXPECT_EQ(verdict.outcome, Outcome::refused);
    EXPECT_TRUE(verdict.halve);
}

TEST(AtprotoDialogue, WhatIsThereAlreadyIsNotSentAgain)
{
    Scene scene{2};
    for (auto &intent : scene.context.intents)
        intent.there = There::unknown;
    const auto planned = plan_batch(scene.context, scene.all);
    EXPECT_EQ(planned.request.method, "GET");
    auto verdict = planned.dialogue->hear(Scene::answer(200, R"({"cid":"c1"})"));
    ASSERT_TRUE(verdict.follow_up);
    verdict = planned.dialogue->hear(Scene::answer(200, R"({"cid":"c0"})"));
    EXPECT_EQ(verdict.outcome, Outcome::delivered);
    EXPECT_FALSE(verdict.follow_up);
}

TEST(AtprotoDialogue, ARecordThatMovesIsPutFirstAndClearedThen)
{
    Scene scene{1};
    auto other = scene.context.sessions.begin()->second;
    other.did = "did:plc:old";
    other.pds = "http://old";
    scene.context.sessions["did:plc:old"] = other;
    scene.context.intents[0].former = {{"did:plc:old", "com.example.note", "a"}};
    const auto planned = plan_single(scene.context, 0);
    EXPECT_EQ(planned.request.url, "http://pds/xrpc/com.atproto.repo.putRecord");
    EXPECT_EQ(planned.request.body, R"({"repo":"did:plc:abc","collection":"com.example.note","rkey":"a","record":{}})");
    auto verdict = planned.dialogue->hear(Scene::answer(200, R"({"cid":"c0"})"));
    ASSERT_TRUE(verdict.follow_up);
    EXPECT_EQ(verdict.follow_up->url, "http://old/xrpc/com.atproto.repo.deleteRecord");
    verdict = planned.dialogue->hear(Scene::answer(200, "{}"));
    EXPECT_EQ(verdict.outcome, Outcome::delivered);
    EXPECT_TRUE(scene.context.intents[0].former.empty());
}

/// An intent that yields, on top of what the repository confirmed as "base".
void yield_to_others(Scene &scene)
{
    auto &intent = scene.context.intents[0];
    intent.yields = true;
    intent.existed = true;
    intent.there = There::yes;
    intent.ours = {"base", "sent"};
}

TEST(AtprotoDialogue, WhatSomebodyElseHasMadeOfItStays)
{
    Scene scene{1};
    yield_to_others(scene);
    const auto planned = plan_single(scene.context, 0);
    EXPECT_EQ(planned.request.body, R"({"repo":"did:plc:abc","collection":"com.example.note","rkey":"a","record":{},"swapRecord":"base"})");
    auto verdict = planned.dialogue->hear(Scene::answer(400, R"({"error":"InvalidSwap"})"));
    ASSERT_TRUE(verdict.follow_up);
    EXPECT_EQ(verdict.follow_up->method, "GET");
    verdict = planned.dialogue->hear(Scene::answer(200, R"({"cid":"other"})"));
    EXPECT_EQ(verdict.outcome, Outcome::delivered);
    EXPECT_TRUE(scene.context.intents[0].kept);
    EXPECT_EQ(scene.context.intents[0].confirmed, "other");
}

TEST(AtprotoDialogue, WhatWasRemovedByOthersStaysAway)
{
    Scene scene{1};
    yield_to_others(scene);
    const auto planned = plan_single(scene.context, 0);
    (void)planned.dialogue->hear(Scene::answer(400, R"({"error":"InvalidSwap"})"));
    EXPECT_EQ(planned.dialogue->hear(Scene::answer(400, R"({"error":"RecordNotFound"})")).outcome, Outcome::delivered);
    EXPECT_TRUE(scene.context.intents[0].kept);
    EXPECT_TRUE(scene.context.intents[0].leaves_nothing());
}

/// Of an answer that was lost, or not looked at before something newer was sent.
TEST(AtprotoDialogue, WhatWeHaveSentOurselvesIsNobodyElses)
{
    Scene scene{1};
    yield_to_others(scene);
    auto planned = plan_single(scene.context, 0);
    (void)planned.dialogue->hear(Scene::answer(400, R"({"error":"InvalidSwap"})"));
    auto verdict = planned.dialogue->hear(Scene::answer(200, R"({"cid":"sent"})"));
    ASSERT_TRUE(verdict.follow_up);
    EXPECT_EQ(verdict.follow_up->body, R"({"repo":"did:plc:abc","collection":"com.example.note","rkey":"a","record":{},"swapRecord":"sent"})");
    planned = plan_single(scene.context, 0);
    (void)planned.dialogue->hear(Scene::answer(400, R"({"error":"InvalidSwap"})"));
    EXPECT_EQ(planned.dialogue->hear(Scene::answer(200, R"({"cid":"c0"})")).outcome, Outcome::delivered);
    EXPECT_FALSE(scene.context.intents[0].kept);
}

TEST(AtprotoDialogue, AFirstRecordThatYieldsIsOnlyCreated)
{
    Scene scene{1};
    scene.context.intents[0].yields = true;
    EXPECT_EQ(plan_single(scene.context, 0).request.body,
              R"({"repo":"did:plc:abc","collection":"com.example.note","rkey":"a","record":{},"swapRecord":null})");
    const auto planned = plan_batch(scene.context, scene.all);
    (void)planned.dialogue->hear(Scene::answer(500, R"({"error":"InternalServerError"})"));
    EXPECT_EQ(planned.dialogue->hear(Scene::answer(200, R"({"cid":"was first"})")).outcome, Outcome::delivered);
    EXPECT_TRUE(scene.context.intents[0].kept);
}

TEST(AtprotoDialogue, BlobsGoBeforeTheirRecord)
{
    Scene scene{1};
    auto &intent = scene.context.intents[0];
    intent.at.collection = "com.example.note";
    const autosync::atproto::Blob blob{"picture", "image/png", autosync::atproto::raw_cid_of("x"), "x"};
    nlohmann::json value = nlohmann::json::object();
    autosync::atproto::place_blob(value, autosync::atproto::parse_place("picture"), blob);
    const auto record = autosync::atproto::finish_record(value, "com.example.note", "2024-01-01T00:00:00Z");
    intent.record = record.json;
    intent.cid = record.cid;
    intent.blobs = {blob};
    const auto planned = plan_single(scene.context, 0);
    EXPECT_EQ(planned.request.url, "http://pds/xrpc/com.atproto.repo.uploadBlob");
    EXPECT_EQ(planned.request.body, "x");
    EXPECT_EQ(planned.request.headers.front().second, "image/png");
    // What the server takes it for is what the record says.
    auto verdict = planned.dialogue->hear(Scene::answer(200, R"({"blob":{"$type":"blob","mimeType":"text/plain","size":1}})"));
    ASSERT_TRUE(verdict.follow_up);
    EXPECT_NE(verdict.follow_up->body.find(R"("mimeType":"text/plain")"), std::string::npos);
    EXPECT_NE(intent.cid, record.cid);
    // It is gone from the server: once more, but not for ever.
    const auto gone = Scene::answer(400, R"({"error":"BlobNotFound","message":"Could not find blob"})");
    verdict = planned.dialogue->hear(gone);
    ASSERT_TRUE(verdict.follow_up);
    EXPECT_TRUE(verdict.follow_up->url.ends_with("uploadBlob"));
    (void)planned.dialogue->hear(Scene::answer(200, "{}"));
    EXPECT_EQ(planned.dialogue->hear(gone).outcome, Outcome::refused);

    intent.blobs[0].there = false;
    verdict = plan_single(scene.context, 0).dialogue->hear(Scene::answer(413, R"({"error":"PayloadTooLarge","message":"too large"})"));
    EXPECT_EQ(verdict.outcome, Outcome::refused);
    EXPECT_EQ(verdict.message, "field \"picture\": PayloadTooLarge: too large");
}

TEST(AtprotoDialogue, SessionsAndLimitsConcernTheIdentityAlone)
{
    Scene scene{2};
    auto verdict = plan_batch(scene.context, scene.all).dialogue->hear(Scene::answer(400, R"({"error":"ExpiredToken"})"));
    EXPECT_EQ(verdict.outcome, Outcome::unauthenticated);
    EXPECT_EQ(scene.context.setbacks["did:plc:abc"], autosync::atproto::Answer::expired);
    verdict = plan_batch(scene.context, scene.all).dialogue->hear(Scene::answer(401, R"({"error":"AccountDeactivated"})"));
    EXPECT_EQ(scene.context.setbacks["did:plc:abc"], autosync::atproto::Answer::revoked);
    auto limited = Scene::answer(429, R"({"error":"RateLimitExceeded"})");
    limited.retry_after = std::chrono::seconds{90};
    verdict = plan_batch(scene.context, scene.all).dialogue->hear(limited);
    EXPECT_EQ(verdict.outcome, Outcome::deferred);
    EXPECT_EQ(verdict.retry_after, std::chrono::seconds{90});
    EXPECT_EQ(scene.budgets["did:plc:abc"].left(std::chrono::steady_clock::now()), 0U);

    http::Response lost;
    lost.failure = http::Response::Failure::timeout;
    EXPECT_EQ(plan_batch(scene.context, scene.all).dialogue->hear(lost).outcome, Outcome::unknown);
    scene.context.sessions.begin()->second.own_server = true;
    EXPECT_EQ(plan_batch(scene.context, scene.all).dialogue->hear(lost).outcome, Outcome::deferred);
}

TEST(AtprotoDialogue, ANonceIsTakenUpOnce)
{
    Scene scene{1};
    auto &session = scene.context.sessions.begin()->second;
    session.key = std::make_shared<autosync::atproto::ProofKey>(R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"})");
    auto access = std::make_shared<http::Access>();
    access->bearer_token = "token";
    session.access = access;
    const auto planned = plan_single(scene.context, 0);
    ASSERT_EQ(planned.request.access->secret_headers.size(), 2U);
    EXPECT_EQ(planned.request.access->secret_headers[1].second, "DPoP token");
    EXPECT_TRUE(planned.request.access->bearer_token.empty());
    auto challenge = Scene::answer(401, R"({"error":"use_dpop_nonce"})");
    challenge.headers = {{"DPoP-Nonce", "n1"}};
    auto verdict = planned.dialogue->hear(challenge);
    ASSERT_TRUE(verdict.follow_up);
    EXPECT_EQ(verdict.follow_up->url, planned.request.url);
    EXPECT_NE(verdict.follow_up->access->secret_headers[0].second, planned.request.access->secret_headers[0].second);
    EXPECT_EQ(session.nonce, "n1");
    EXPECT_EQ(planned.dialogue->hear(challenge).outcome, Outcome::unauthenticated);
}

} // namespace
} // namespace autosync::targets::atproto
