#include "http/client.hpp"

#include <atomic>
#include <csignal>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "http_asking.hpp"
#include "http_server.hpp"

namespace autosync::http {
namespace {

using namespace std::chrono_literals;
using test::ask;
using test::Connection;
using test::drive;
using test::HttpServer;
using test::post;
using test::Received;
using Failure = Response::Failure;
using Clock = std::chrono::steady_clock;

void echo(Connection &connection, const Received &request) { connection.answer(200, request.body, "Content-Type: application/json\r\n"); }

TEST(HttpClient, SendsAndReadsAnAnswer)
{
    HttpServer server{echo};
    const auto response = ask(post(server.url("/db"), R"({"a":1})"));
    EXPECT_EQ(response.failure, Failure::none) << response.error;
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, R"({"a":1})");
    EXPECT_EQ(response.content_type, "application/json");
    EXPECT_GT(response.elapsed.count(), 0);
    const auto received = server.received().at(0);
    EXPECT_TRUE(received.head.starts_with("POST /db HTTP/1.1\r\n")) << received.head;
    EXPECT_TRUE(received.has("Content-Type: application/json"));
    EXPECT_EQ(received.head.find("Expect"), std::string::npos);
    EXPECT_EQ(response.sent_bytes, received.head.size() + 2 + received.body.size());
}

TEST(HttpClient, SendsABodyOfMegabytesWithoutWaitingForAContinue)
{
    HttpServer server{[](Connection &connection, const Received &request) { connection.answer(200, std::to_string(request.body.size())); }};
    const auto response = ask(post(server.url(), std::string(5'000'000, 'x')));
    EXPECT_EQ(response.body, "5000000") << response.error;
    EXPECT_LT(response.elapsed, 900ms);
    EXPECT_GT(response.sent_bytes, 5'000'000U);
    EXPECT_LT(response.sent_bytes, 5'001'000U);
}

TEST(HttpClient, KeepsItsConnections)
{
    HttpServer server{echo};
    Client client;
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(ask(client, post(server.url())).status, 200);
    EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, OpensANewConnectionWhenTheServerHasClosedTheIdleOne)
{
    HttpServer server{[](Connection &connection, const Received &request) {
        echo(connection, request);
        connection.close();
    }};
    Client client;
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(ask(client, post(server.url())).status, 200);
    EXPECT_EQ(server.connections(), 5);
}

TEST(HttpClient, TellsThatItHasSentARequestTwice)
{
    std::atomic<int> count = 0;
    HttpServer server{[&count](Connection &connection, const Received &request) {
        if (++count == 2) // taken, and not answered
            connection.close();
        else
            echo(connection, request);
    }};
    Client client;
    EXPECT_FALSE(ask(client, post(server.url(), "1")).resent);
    const auto second = ask(client, post(server.url(), "2"));
    EXPECT_EQ(second.body, "2");
    EXPECT_TRUE(second.resent);
    EXPECT_FALSE(ask(client, post(server.url(), "3")).resent);
    EXPECT_EQ(server.received().size(), 4U);
}

TEST(HttpClient, HasManyUnderWayAtOnce)
{
    HttpServer server{[](Connection &connection, const Received &request) {
        std::this_thread::sleep_for(100ms);
        echo(connection, request);
    }};
    Client client;
    const auto start = Clock::now();
    for (int i = 0; i < 8; ++i)
        client.send(post(server.url(), std::to_string(i)), {}, {});
    const auto answers = drive(client);
    EXPECT_EQ(answers.size(), 8U);
    EXPECT_LT(Clock::now() - start, 700ms);
    for (const auto &[ticket, response] : answers)
        EXPECT_EQ(response.body, std::to_string(ticket - 1));
}

TEST(HttpClient, UsesTheMethodItIsGiven)
{
    HttpServer server{echo};
    Client client;
    for (const std::string method : {"GET", "PUT", "PATCH", "DELETE", "POST"})
        EXPECT_EQ(ask(client, {method, server.url(), {}, ""}).status, 200);
    EXPECT_EQ(ask(client, {"DELETE", server.url(), {}, "body"}).body, "body");
    EXPECT_EQ(ask(client, {"HEAD", server.url(), {}, ""}).status, 200);
    const auto received = server.received();
    EXPECT_TRUE(received[0].head.starts_with("GET "));
    EXPECT_TRUE(received[1].head.starts_with("PUT "));
    EXPECT_TRUE(received[2].head.starts_with("PATCH "));
    EXPECT_TRUE(received[3].head.starts_with("DELETE "));
    EXPECT_TRUE(received[4].has("Content-Length: 0")) << received[4].head;
    EXPECT_TRUE(received[6].head.starts_with("HEAD "));
    for (const auto &request : received)
        EXPECT_EQ(request.head.find("Content-Type"), std::string::npos) << request.head;
}

TEST(HttpClient, SendsSecretsAndForgetsThem)
{
    HttpServer server{echo};
    Client client;
    Access access;
    access.username = "neo4j";
    access.password = "se:cret";
    access.secret_headers = {{"api-key", "k3y"}};
    ask(client, post(server.url()), access);
    access.bearer_token = "t0ken";
    ask(client, post(server.url()), access);
    ask(client, post(server.url()));
    const auto received = server.received();
    EXPECT_TRUE(received[0].has("Authorization: Basic bmVvNGo6c2U6Y3JldA==")) << received[0].head;
    EXPECT_TRUE(received[0].has("api-key: k3y"));
    EXPECT_TRUE(received[1].has("Authorization: Bearer t0ken"));
    EXPECT_EQ(received[1].head.find("Basic"), std::string::npos);
    EXPECT_EQ(received[2].head.find("Authorization"), std::string::npos);
    EXPECT_EQ(received[2].head.find("api-key"), std::string::npos);
}

TEST(HttpClient, SendsEmptyAndUnusualHeaders)
{
    HttpServer server{echo};
    ask(post(server.url(), "", {{"X-Empty", ""}, {"X-Utf8", "gr\xc3\xbc\xc3\x9f"}, {"User-Agent", "me"}}));
    const auto received = server.received().at(0);
    EXPECT_NE(received.head.find("\r\nX-Empty:"), std::string::npos) << received.head;
    EXPECT_TRUE(received.has("X-Utf8: gr\xc3\xbc\xc3\x9f"));
}

TEST(HttpClient, DropsACancelledRequest)
{
    HttpServer server{[](Connection &connection, const Received &request) {
        std::this_thread::sleep_for(request.body == "slow" ? 300ms : 0ms);
        echo(connection, request);
    }};
    Client client;
    const auto slow = client.send(post(server.url(), "slow"), {}, {});
    const auto fast = client.send(post(server.url(), "fast"), {}, {});
    const auto refused = client.send(post("file:///"), {}, {});
    EXPECT_EQ(client.in_flight(), 3U);
    EXPECT_EQ(client.patience(), 0ms);
    client.cancel(slow);
    client.cancel(refused);
    client.cancel(12345);
    const auto answers = drive(client);
    EXPECT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers.count(fast), 1U);
}

TEST(HttpClient, DoesNotWaitForAResolverThatHangs)
{
    const auto start = Clock::now();
    {
        Client client;
        Limits limits;
        limits.connect_timeout = 100ms;
        EXPECT_EQ(ask(client, post("http://slow.test/"), {}, limits).failure, Failure::connect);
        client.cancel(client.send(post("http://slow.test/"), {}, {}));
        client.send(post("http://slow.test/"), {}, {});
    }
    EXPECT_LT(Clock::now() - start, 1500ms);
}

TEST(HttpClient, LeavesTheSignalMaskAsItWas)
{
    sigset_t before;
    sigset_t after;
    pthread_sigmask(SIG_BLOCK, nullptr, &before);
    ask(post("http://nowhere.test/"));
    pthread_sigmask(SIG_BLOCK, nullptr, &after);
    for (int signal = 1; signal < 32; ++signal)
        EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal));
}

std::atomic<int> handled{0};
std::atomic<int> astray{0};
pthread_t own_thread;

void note_signal(int) { ++(pthread_equal(pthread_self(), own_thread) != 0 ? handled : astray); }

/// The resolver's thread is libcurl's, and what PostgreSQL does when it gets a signal is not made for it.
TEST(HttpClient, HasAThousandSignalsHandledWhereTheyBelongWhileANameIsResolved)
{
    own_thread = pthread_self();
    struct sigaction before {};
    struct sigaction now {};
    now.sa_handler = note_signal;
    sigaction(SIGUSR1, &now, &before);
    std::thread sender{[] {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, nullptr);
        for (int sent = 0; sent < 1'000; ++sent) {
            kill(getpid(), SIGUSR1);
            for (int wait = 0; wait < 2'000 && handled + astray <= sent; ++wait) // two pending ones are one
                std::this_thread::sleep_for(100us);
        }
    }};
    Client client;
    Limits limits;
    limits.connect_timeout = 30s;
    const auto start = Clock::now();
    while (handled + astray < 1'000 && Clock::now() - start < 30s)
        ask(client, post("http://slow.test/"), {}, limits);
    sender.join();
    sigaction(SIGUSR1, &before, nullptr);
    EXPECT_EQ(handled, 1'000);
    EXPECT_EQ(astray, 0);
}

} // namespace
} // namespace autosync::http
