// Rows as records, and conversations with a repository.
#include <gtest/gtest.h>

#include "targets/atproto_dialogue.hpp"
#include "targets/atproto_mapping.hpp"

namespace autosync::targets::atproto {
namespace {

using mapping::Kind;

mapping::Source posts(mapping::Options options)
{
    mapping::Source source;
    source.name = "public.posts";
    source.table = "posts";
    source.columns = {{"id", {Kind::integer}}, {"did", {Kind::text}},         {"body", {Kind::text}}, {"likes", {Kind::integer}}, {"score", {Kind::real}},
                      {"at", {Kind::timestamp}}, {"data", {Kind::bytes}}, {"tags", {Kind::list, Kind::text}}};
    source.key = {"id"};
    options.try_emplace("collection", "com.example.note");
    source.options = std::move(options);
    return source;
}

mapping::Change row()
{
    mapping::Change change;
    change.key = "7";
    change.row = {std::int64_t{7}, std::string{"did:plc:abc"}, std::string{"hi"}, std::int64_t{9'007'199'254'740'992}, 1.5, std::string{"2024-02-29T12:34:56"},
                  std::string{"f"}, mapping::List{{std::string{"a"}, std::string{"b"}}, {2}}};
    return change;
}

TEST(AtprotoMapping, ByTypeOfTheColumn)
{
    const auto source = posts({{"record", R"({"body":"text","likes":"likes","score":"score","at":"createdAt","data":"data","tags":"tags"})"}});
    const auto mapping = compile_source(source);
    EXPECT_EQ(record_of(*mapping, source, row(), "").json,
              R"({"$type":"com.example.note","createdAt":"2024-02-29T12:34:56Z","data":{"$bytes":"Zg"},"likes":"9007199254740992","score":"1.5","tags":["a","b"],"text":"hi"})");
    auto change = row();
    change.row[5] = std::string{"infinity"};
    try {
        (void)record_of(*mapping, source, change, "");
        FAIL();
    } catch (const std::invalid_argument &error) {
        EXPECT_EQ(std::string{error.what()}.substr(0, 12), "column \"at\":");
    }
}

TEST(AtprotoMapping, WhoseRecordUnderWhichKey)
{
    auto source = posts({});
    EXPECT_EQ(did_of(*compile_source(source), row()), "did:plc:abc");
    EXPECT_EQ(rkey_of(*compile_source(source), row()), "");
    EXPECT_EQ(rkey_of(*compile_source(posts({{"rkey", "key"}})), row()), "7");
    EXPECT_EQ(rkey_of(*compile_source(posts({{"rkey", "self"}})), row()), "self");
    EXPECT_EQ(rkey_of(*compile_source(posts({{"rkey", "body"}})), row()), "hi");
    auto change = row();
    change.row[1] = std::string{"nobody"};
    EXPECT_THROW((void)did_of(*compile_source(source), change), std::invalid_argument);
    change.row[1] = std::monostate{};
    EXPECT_EQ(did_of(*compile_source(source), change), "");

    source.computed = {{"did_expression", {Kind::text}}, {"transform", {Kind::json}}};
    change = row();
    change.row.emplace_back(std::string{"did:plc:other"});
    change.row.emplace_back(std::monostate{});
    const auto mapping = compile_source(source);
    EXPECT_EQ(did_of(*mapping, change), "did:plc:other");
    EXPECT_FALSE(has_record(*mapping, change));
    change.row.back() = std::string{R"({"text": "made"})"};
    EXPECT_EQ(record_of(*mapping, source, change, "2024-01-01T00:00:00Z").json,
              R"({"$type":"com.example.note","createdAt":"2024-01-01T00:00:00Z","text":"made"})");
}

TEST(AtprotoMapping, RefusesWhatMakesNoSense)
{
    EXPECT_THROW((void)compile_source(posts({{"collection", "nonsense"}})), std::invalid_argument);
    EXPECT_THROW((void)compile_source(posts({{"record", R"({"none":"x"})"}})), std::invalid_argument);
    EXPECT_THROW((void)compile_source(posts({{"record", R"({"body":"x","id":"x"})"}})), std::invalid_argument);
    EXPECT_THROW((void)compile_source(posts({{"record", R"({"body":"$type"})"}})), std::invalid_argument);
    EXPECT_THROW((void)compile_source(posts({{"rkey", "none"}})), std::invalid_argument);
    EXPECT_THROW((void)compile_source(posts({{"did", "none"}})), std::invalid_argument);
}

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
