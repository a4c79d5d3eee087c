#include <gtest/gtest.h>

#include "neo4j_scene.hpp"

using namespace autosync;
using namespace autosync::graph_test;
using targets::Outcome;

namespace {

http::Response answer(long status, std::string body)
{
    http::Response response;
    response.status = status;
    response.body = std::move(body);
    return response;
}

http::Response failing(const std::string &code, long status = 200)
{
    return answer(status, R"({"results":[],"errors":[{"code":"Neo.)" + code + R"(","message":"why"}]})");
}

http::Response counting(const std::string &rows)
{
    return answer(200, R"({"results":[{"columns":["applied","newer"],"data":[)" + rows + R"(]}],"errors":[]})");
}

targets::Verdict verdict(const http::Response &response, std::size_t sent = 2)
{
    return neo4j().interpret(graph_server(), {{}, std::vector<std::size_t>(sent)}, response);
}

struct Case {
    const char *code;
    long status;
    Outcome outcome;
    bool halve;
    bool again;
};

TEST(Neo4jAnswer, ClassifiesByCodeNotByStatus)
{
    for (const auto &each : {
             Case{"ClientError.Statement.SyntaxError", 200, Outcome::refused, false, false},
             Case{"ClientError.Statement.SyntaxError", 400, Outcome::refused, false, false},
             Case{"ClientError.Schema.ConstraintValidationFailed", 200, Outcome::refused, false, false},
             Case{"ClientError.Statement.TypeError", 200, Outcome::refused, false, false},
             Case{"ClientError.Security.Unauthorized", 401, Outcome::unauthorized, false, false},
             Case{"ClientError.Security.Forbidden", 200, Outcome::unauthorized, false, false},
             Case{"ClientError.Security.AuthenticationRateLimit", 429, Outcome::throttled, false, false},
             Case{"ClientError.Database.DatabaseNotFound", 404, Outcome::unauthorized, false, false},
             Case{"TransientError.General.DatabaseUnavailable", 404, Outcome::unreachable, false, false},
             Case{"TransientError.General.DatabaseUnavailable", 400, Outcome::unreachable, false, false},
             Case{"TransientError.General.MemoryPoolOutOfMemoryError", 200, Outcome::refused, true, false},
             Case{"TransientError.Transaction.DeadlockDetected", 200, Outcome::unreachable, false, true},
             Case{"TransientError.Transaction.LockAcquisitionTimeout", 200, Outcome::unreachable, false, true},
             Case{"ClientError.Transaction.TransactionTimedOutClientConfiguration", 200, Outcome::refused, true, false},
             Case{"ClientError.Transaction.TransactionTimedOutClientConfiguration", 202, Outcome::refused, true, false},
             Case{"ClientError.General.WriteOnReadOnlyAccessDatabase", 200, Outcome::unauthorized, false, false},
             Case{"DatabaseError.Statement.ExecutionFailed", 200, Outcome::refused, false, false},
             Case{"DatabaseError.Transaction.TransactionCommitFailed", 500, Outcome::unreachable, false, false},
             Case{"ClientError.Request.InvalidFormat", 200, Outcome::refused, false, false},
             Case{"ClientError.Request.Invalid", 404, Outcome::unauthorized, false, false},
             Case{"SomethingNew", 200, Outcome::unreachable, false, false},
         }) {
        const auto got = verdict(failing(each.code, each.status));
        EXPECT_EQ(got.outcome, each.outcome) << each.code;
        EXPECT_EQ(got.halve, each.halve) << each.code;
        EXPECT_EQ(got.again, each.again) << each.code;
        EXPECT_EQ(got.message, std::string("Neo.") + each.code + ": why");
    }
}

TEST(Neo4jAnswer, CountsWhatWasApplied)
{
    EXPECT_EQ(verdict(counting(R"({"row":[2,null],"meta":[]})")).outcome, Outcome::delivered);
    const auto stale = verdict(counting(R"({"row":[1,1700000000000001]},{"row":[0,1700000000000002]})"), 3);
    EXPECT_EQ(stale.outcome, Outcome::stale);
    EXPECT_EQ(stale.newer_version, 1700000000000002);
    EXPECT_EQ(verdict(counting(R"({"row":[1,null]})")).outcome, Outcome::unknown);
    EXPECT_EQ(verdict(counting(R"({"row":[3,null]})")).outcome, Outcome::unknown);
}

TEST(Neo4jAnswer, NeverTrustsTheShape)
{
    for (const auto *body :
         {"", "{}", "[]", "null", "{\"results\":7,\"errors\":[]}", "{\"results\":[1],\"errors\":[]}", "{\"results\":[{\"data\":[7]}],\"errors\":[]}",
          "{\"results\":[{\"data\":[{\"row\":[]}]}],\"errors\":[]}", "{\"results\":[{\"data\":[{\"row\":[\"x\",{}]}]}]}", "<html>", "\xff\xfe"})
        EXPECT_EQ(verdict(answer(200, body)).outcome, Outcome::unknown) << body;
    EXPECT_EQ(verdict(answer(200, R"({"errors":[7]})")).outcome, Outcome::unreachable);
    EXPECT_EQ(verdict(answer(200, R"({"errors":[{"code":1,"message":[]}]})")).outcome, Outcome::unreachable);
    EXPECT_EQ(verdict(answer(200, std::string(2'000'000, '['))).outcome, Outcome::unknown);
    std::string deep = R"({"results":[],"errors":[],"x":)" + std::string(100'000, '[') + std::string(100'000, ']') + '}';
    EXPECT_EQ(verdict(answer(200, deep)).outcome, Outcome::unknown);
    EXPECT_LE(verdict(failing(std::string(5'000, 'x'))).message.size(), 1'000U);
    EXPECT_FALSE(neo4j().read_keys(answer(200, "{}")).has_value());
    EXPECT_FALSE(neo4j().read_count(answer(200, R"({"results":[{"data":[{"row":["x"]}]}]})")).has_value());
}

TEST(Neo4jAnswer, WhatStandsInFrontOfNeo4j)
{
    for (const auto &[status, outcome] : std::vector<std::pair<long, Outcome>>{{401, Outcome::unauthorized},
                                                                               {403, Outcome::unauthorized},
                                                                               {404, Outcome::unreachable},
                                                                               {429, Outcome::throttled},
                                                                               {502, Outcome::unreachable},
                                                                               {301, Outcome::unreachable},
                                                                               {413, Outcome::refused},
                                                                               {200, Outcome::unknown}})
        EXPECT_EQ(verdict(answer(status, "<html>no</html>")).outcome, outcome) << status;
    EXPECT_TRUE(verdict(answer(413, "too large")).halve);
    http::Response lost;
    lost.failure = http::Response::Failure::timeout;
    EXPECT_EQ(verdict(lost).outcome, Outcome::unknown);
    lost.failure = http::Response::Failure::connect;
    EXPECT_EQ(verdict(lost).outcome, Outcome::unreachable);
    auto limited = answer(429, "");
    limited.retry_after = std::chrono::seconds{7};
    EXPECT_EQ(verdict(limited).retry_after, std::chrono::seconds{7});
}

TEST(Neo4jAnswer, Probe)
{
    const auto probe = [](const std::string &version) {
        return neo4j().read_probe(answer(200, R"({"results":[{"data":[{"row":[")" + version + R"(","community"]}]}],"errors":[]})"));
    };
    EXPECT_EQ(probe("5.26.30").outcome, Outcome::delivered);
    EXPECT_EQ(probe("5.26.30").version, "5.26.30");
    EXPECT_EQ(probe("2025.01.0").outcome, Outcome::delivered);
    EXPECT_EQ(probe("5.23.0").outcome, Outcome::refused);
    EXPECT_EQ(probe("4.4.1").outcome, Outcome::refused);
    EXPECT_EQ(neo4j().read_probe(failing("ClientError.Security.Unauthorized", 401)).outcome, Outcome::unauthorized);
    const auto advised = [](const http::Response &response, const char *advice) {
        return neo4j().read_probe(response).detail.find(advice) != std::string::npos;
    };
    EXPECT_TRUE(advised(failing("ClientError.Security.Unauthorized", 401), "USER MAPPING"));
    EXPECT_TRUE(advised(failing("ClientError.Database.DatabaseNotFound", 404), "option database"));
    http::Response bolt; // what answers at the port of another protocol
    bolt.failure = http::Response::Failure::broken;
    bolt.error = "Empty reply from server";
    EXPECT_TRUE(advised(bolt, "7474"));
}

TEST(Neo4jAnswer, KeysAndCounts)
{
    const auto body = R"({"results":[{"data":[{"row":["a"]},{"row":["b"]}]}],"errors":[]})";
    EXPECT_EQ(neo4j().read_keys(answer(200, body)), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(neo4j().read_count(answer(200, R"({"results":[{"data":[{"row":[3]}]},{"data":[{"row":[4]}]}],"errors":[]})")), 7U);
}

} // namespace
