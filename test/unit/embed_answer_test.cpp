// What embedders answer, and what is made of it.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "embed/answer.hpp"

namespace autosync::embed {
namespace {

using namespace std::chrono_literals;
using Kind = Problem::Kind;
using Failure = http::Response::Failure;

http::Response answer_of(std::string body, long status = 200)
{
    http::Response response;
    response.status = status;
    response.body = std::move(body);
    return response;
}

Kind kind_of(const std::string &body, std::size_t count = 1, std::size_t dimensions = 0)
{
    const auto answer = read_answer(answer_of(body), count, dimensions);
    EXPECT_TRUE(answer.problem) << body;
    EXPECT_TRUE(answer.vectors.empty());
    return answer.problem ? answer.problem->kind : Kind::throttled;
}

Kind kind_of_status(long status, const std::string &body = "")
{
    const auto problem = read_problem(answer_of(body, status));
    EXPECT_FALSE(problem.message.empty());
    return problem.kind;
}

TEST(EmbedAnswer, TakesVectorsByIndexAndAsTheyAreWritten)
{
    const auto answer =
        read_answer(answer_of(R"({"object":"list","usage":{"prompt_tokens":7,"total_tokens":9},"data":[)"
                              R"({"embedding":[ 0.10, -2e-3],"index":1,"object":"embedding"},{"object":"embedding","index":0,"embedding":[3,4]}]})"),
                    2, 2);
    ASSERT_FALSE(answer.problem);
    EXPECT_EQ(*answer.vectors[0], "[3,4]");
    EXPECT_EQ(*answer.vectors[1], "[ 0.10, -2e-3]");
    EXPECT_EQ(answer.dimensions, 2U);
    EXPECT_EQ(answer.tokens, 9U);
}

TEST(EmbedAnswer, TakesBase64AndMissingIndexes)
{
    const auto answer = read_answer(answer_of(R"({"data":[{"embedding":"AAAAPwAAoL8="},{"embedding":[1,2]}]})"), 2, 0);
    ASSERT_FALSE(answer.problem);
    EXPECT_EQ(*answer.vectors[0], "[0.5,-1.25]");
    EXPECT_EQ(*answer.vectors[1], "[1,2]");
    EXPECT_EQ(answer.tokens, 0U);
}

TEST(EmbedAnswer, TrustsNoShape)
{
    for (const auto *const body : {"",
                                   "x",
                                   "null",
                                   "[]",
                                   "7",
                                   "{}",
                                   R"({"data":null})",
                                   R"({"data":[]})",
                                   R"({"data":[7]})",
                                   R"({"data":[{}])",
                                   R"({"data":[{"index":0}]})",
                                   R"({"error":"no"})",
                                   R"({"data":[{"index":1,"embedding":[1]}]})",
                                   R"({"data":[{"index":-1,"embedding":[1]}]})",
                                   R"({"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]})",
                                   R"({"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1]}]})",
                                   R"({"data":[{"index":0,"embedding":[1)",
                                   R"({"data":[{"index":1e99,"embedding":[1]}]})",
                                   "\xff\xfe",
                                   R"({"data":{"index":0}})"}) {
        const auto answer = read_answer(answer_of(body), 1, 0);
        ASSERT_TRUE(answer.problem) << body;
        EXPECT_TRUE(answer.problem->kind == Kind::unreachable || answer.problem->kind == Kind::refused) << body;
    }
    EXPECT_EQ(kind_of(std::string(100'000, '[')), Kind::unreachable);
    EXPECT_EQ(kind_of(R"({"data":[{"index":0,"embedding":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}]}"), Kind::refused);
    EXPECT_EQ(kind_of(R"({"data":[{"index":0,"embedding":[1]}]})", 2), Kind::unreachable) << "one is missing";
}

TEST(EmbedAnswer, RefusesVectorsThatAreNone)
{
    for (const std::string vector : {"[]", "[NaN]", "[1e39]", "[null]", "[\"1\"]", "[[1]]", "\"!\"", "\"AADAfw==\"", "null", "7", "{}"})
        EXPECT_EQ(kind_of(R"({"data":[{"index":0,"embedding":)" + vector + "}]}"), Kind::refused) << vector;
}

TEST(EmbedAnswer, InsistsOnTheSize)
{
    EXPECT_EQ(kind_of(R"({"data":[{"index":0,"embedding":[1,2]}]})", 1, 3), Kind::unreachable);
    EXPECT_EQ(kind_of(R"({"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[1]}]})", 2), Kind::unreachable);
}

TEST(EmbedProblem, IsClassifiedByRule)
{
    EXPECT_EQ(kind_of_status(401, R"({"error":{"message":"Incorrect API key","code":"invalid_api_key"}})"), Kind::unauthorized);
    EXPECT_EQ(kind_of_status(403), Kind::unauthorized);
    EXPECT_EQ(kind_of_status(404, R"({"error":{"message":"no such model","code":"model_not_found"}})"), Kind::unauthorized);
    EXPECT_EQ(kind_of_status(429, R"({"error":{"message":"Rate limit","type":"tokens","code":"rate_limit_exceeded"}})"), Kind::throttled);
    EXPECT_EQ(kind_of_status(429, R"({"error":{"message":"quota","type":"insufficient_quota","code":"insufficient_quota"}})"), Kind::unauthorized);
    EXPECT_EQ(kind_of_status(500), Kind::unreachable);
    EXPECT_EQ(kind_of_status(301), Kind::unreachable);
    EXPECT_EQ(kind_of_status(504), Kind::timeout);
    EXPECT_EQ(kind_of_status(413), Kind::too_much);
    EXPECT_EQ(kind_of_status(400, R"({"error":{"message":"'$.input' is invalid.","type":"invalid_request_error"}})"), Kind::refused);
    EXPECT_EQ(kind_of_status(400, R"({"error":{"message":"Invalid value for 'dimensions'","param":"dimensions"}})"), Kind::unauthorized);
    EXPECT_EQ(kind_of_status(400, R"({"error":{"message":"This model's maximum context length is 8192 tokens, however you requested 9000"}})"),
              Kind::too_much);
    EXPECT_EQ(kind_of_status(400, R"({"error":{"message":"Requested 400000","code":"max_tokens_per_request"}})"), Kind::too_much);
    EXPECT_EQ(kind_of_status(400, R"({"error":{"message":"Invalid 'input': array too long.","param":"input","code":"array_above_max_length"}})"),
              Kind::too_much);
    EXPECT_EQ(kind_of_status(400, R"({"error":"the input length exceeds the context length"})"), Kind::too_much);
    EXPECT_EQ(kind_of_status(422, "plain"), Kind::refused);
    EXPECT_EQ(kind_of_status(500, std::string(5'000'000, '[')), Kind::unreachable);
    EXPECT_LE(read_problem(answer_of(std::string(5'000'000, 'x'), 500)).message.size(), 1'000U);
}

TEST(EmbedProblem, KeepsTheTimeToComeBack)
{
    auto response = answer_of("", 429);
    response.retry_after = 17s;
    EXPECT_EQ(read_problem(response).retry_after, 17s);
    response.status = 503;
    EXPECT_EQ(read_problem(response).kind, Kind::throttled);
}

TEST(EmbedProblem, KnowsFailures)
{
    http::Response response;
    response.error = "no route";
    response.failure = Failure::connect;
    EXPECT_EQ(read_problem(response).kind, Kind::unreachable);
    response.failure = Failure::timeout;
    EXPECT_EQ(read_answer(response, 3, 0).problem->kind, Kind::timeout);
    EXPECT_EQ(read_problem(response).message, "embedder: no route");
}

} // namespace
} // namespace autosync::embed
