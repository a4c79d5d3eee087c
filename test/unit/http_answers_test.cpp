// What servers do on bad days, and what a client makes of it.
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "http_asking.hpp"
#include "http_server.hpp"

namespace autosync::http {
namespace {

using namespace std::chrono_literals;
using test::ask;
using test::Connection;
using test::HttpServer;
using test::post;
using test::Received;
using Failure = Response::Failure;

TEST(HttpAnswers, TellsNothingSentFromOutcomeUnknown)
{
    const auto refused = ask(post("http://127.0.0.1:1/"));
    EXPECT_EQ(refused.failure, Failure::connect);
    EXPECT_EQ(refused.sent_bytes, 0U);
    EXPECT_FALSE(refused.error.empty());
    EXPECT_EQ(ask(post("http://nowhere.test/")).failure, Failure::connect);

    HttpServer reset{[](Connection &connection, const Received &) { connection.reset(); }};
    EXPECT_EQ(ask(post(reset.url())).failure, Failure::broken);

    HttpServer silent{[](Connection &connection, const Received &) { connection.close(); }};
    EXPECT_EQ(ask(post(silent.url())).failure, Failure::broken);
}

TEST(HttpAnswers, TakesAHalfAnswerForNone)
{
    for (const std::string half : {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nRetry-After: 5\r\n\r\n{\"a\":", "HTTP/1.1 200 OK\r\nContent-",
                                   "HTTP/1.1 200 OK\r\n", "rubbish\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                                   "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\nnotgzip"}) {
        HttpServer server{[&](Connection &connection, const Received &) {
            connection.write(half);
            connection.close();
        }};
        const auto response = ask(post(server.url()));
        EXPECT_EQ(response.failure, Failure::broken) << half;
        EXPECT_EQ(response.status, 0);
        EXPECT_TRUE(response.body.empty());
        EXPECT_FALSE(response.retry_after);
    }
}

TEST(HttpAnswers, EndsASlowAnswer)
{
    HttpServer server{[](Connection &connection, const Received &) {
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        for (int i = 0; i < 20; ++i) {
            connection.write("x");
            std::this_thread::sleep_for(50ms);
        }
    }};
    Limits limits;
    limits.request_timeout = 200ms;
    const auto response = ask(post(server.url()), {}, limits);
    EXPECT_EQ(response.failure, Failure::timeout);
    EXPECT_LT(response.elapsed, 600ms);
}

TEST(HttpAnswers, BoundsTheAnswer)
{
    Limits limits;
    limits.answer_bytes = 1000;
    HttpServer exact{[](Connection &connection, const Received &) { connection.answer(200, std::string(1000, 'x')); }};
    EXPECT_EQ(ask(post(exact.url()), {}, limits).body.size(), 1000U);
    HttpServer larger{[](Connection &connection, const Received &) { connection.answer(200, std::string(1001, 'x')); }};
    const auto response = ask(post(larger.url()), {}, limits);
    EXPECT_EQ(response.failure, Failure::too_large);
    EXPECT_TRUE(response.body.empty());
    HttpServer endless{[](Connection &connection, const Received &) {
        connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < 101; ++i)
            connection.write("a\r\n0123456789\r\n");
    }};
    EXPECT_EQ(ask(post(endless.url()), {}, limits).failure, Failure::too_large);
    HttpServer chatty{[](Connection &connection, const Received &) {
        connection.write("HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 400; ++i)
            connection.write("X-Header: " + std::string(1000, 'y') + "\r\n");
        connection.write("Content-Length: 0\r\n\r\n");
    }};
    EXPECT_EQ(ask(post(chatty.url()), {}, limits).failure, Failure::too_large);
}

TEST(HttpAnswers, ReadsGzipAndBoundsWhatItUnpacks)
{
    const std::string hello{"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00", 25};
    HttpServer server{[&](Connection &connection, const Received &) { connection.answer(200, hello, "Content-Encoding: gzip\r\n"); }};
    EXPECT_EQ(ask(post(server.url())).body, "hello");
    EXPECT_NE(server.received().at(0).head.find("Accept-Encoding: gzip"), std::string::npos);
    Limits limits;
    limits.answer_bytes = 4;
    EXPECT_EQ(ask(post(server.url()), {}, limits).failure, Failure::too_large);
}

TEST(HttpAnswers, ReadsRetryAfterOfTheFinalAnswer)
{
    HttpServer server{[](Connection &connection, const Received &) {
        connection.write("HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n");
        connection.answer(429, "slow down", "retry-after: 7\r\n");
    }};
    const auto response = ask(post(server.url()));
    EXPECT_EQ(response.status, 429);
    EXPECT_EQ(response.retry_after, 7s);
}

} // namespace
} // namespace autosync::http
