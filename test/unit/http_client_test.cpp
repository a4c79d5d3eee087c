#include "http/client.hpp"

#include <csignal>
#include <cstdlib>
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <netdb.h>
#include <poll.h>

#include "http_server.hpp"

// A name that takes its time. Defined here, the test binary's own resolver stands before the C library's.
extern "C" __attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service, const addrinfo *hints, addrinfo **result)
{
    static_cast<void>(service);
    static_cast<void>(hints);
    if (node != nullptr && std::string_view{node} == "slow.test")
        std::this_thread::sleep_for(std::chrono::seconds{3});
    *result = nullptr;
    return EAI_NONAME;
}

namespace autosync::http {
namespace {

using namespace std::chrono_literals;
using test::Connection;
using test::HttpServer;
using test::Received;
using Failure = Response::Failure;
using Clock = std::chrono::steady_clock;

std::map<Client::Ticket, Response> drive(Client &client, std::chrono::milliseconds longest = 5s)
{
    std::map<Client::Ticket, Response> answers;
    const auto end = Clock::now() + longest;
    while (client.in_flight() > 0 && Clock::now() < end) {
        pollfd ready{client.descriptor(), POLLIN, 0};
        poll(&ready, 1, static_cast<int>(std::min<std::chrono::milliseconds>(client.patience(), 100ms).count()));
        for (auto &[ticket, response] : client.work())
            answers.emplace(ticket, std::move(response));
    }
    return answers;
}

Response ask(Client &client, const Request &request, const Access &access = {}, const Limits &limits = {})
{
    const auto ticket = client.send(request, access, limits);
    auto answers = drive(client);
    EXPECT_EQ(answers.size(), 1U);
    return answers[ticket];
}

Response ask(const Request &request, const Access &access = {}, const Limits &limits = {})
{
    Client client;
    return ask(client, request, access, limits);
}

Request post(std::string url, std::string body = "{}", Headers headers = {{"Content-Type", "application/json"}})
{
    return {"POST", std::move(url), std::move(headers), std::move(body)};
}

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

TEST(HttpClient, NeverShowsSecretsInErrors)
{
    Access access;
    access.username = "user";
    access.password = "pa\tssword";
    access.bearer_token = "bearer-token\n";
    access.secret_headers = {{"api-key", "header\r\nsecret"}};
    for (const auto &url : {"http://user:urlsecret@127.0.0.1:1/", "http://127.0.0.1:1/", "gopher://urlsecret/", "http://urlsecret\n/"}) {
        const auto response = ask(post(url), access);
        EXPECT_EQ(response.failure, Failure::connect);
        for (const auto *secret : {"ssword", "token-", "header\r", "secret", "bearer-"})
            EXPECT_EQ(response.error.find(secret), std::string::npos) << response.error;
    }
}

TEST(HttpClient, RefusesWhatCouldSmuggle)
{
    HttpServer server{echo};
    Access bad_token;
    bad_token.bearer_token = "a\r\nX-Evil: 1";
    const std::vector<std::pair<Request, Access>> bad{
        {post(server.url("/\r\nX-Evil: 1")), {}},
        {post(server.url(std::string{"/a\0b", 4})), {}},
        {post(server.url(), "", {{"X-Name", "a\r\nX-Evil: 1"}}), {}},
        {post(server.url(), "", {{"X-Name", std::string{"a\0b", 3}}}), {}},
        {post(server.url(), "", {{"X-Na me", "a"}}), {}},
        {post(server.url(), "", {{"X-Name:", "a"}}), {}},
        {post(server.url(), "", {{"", "a"}}), {}},
        {post(server.url(), "", {{"Content-LENGTH", "3"}}), {}},
        {post(server.url(), "", {{"transfer-encoding", "chunked"}}), {}},
        {post(server.url()), bad_token},
        {{"POST / HTTP/1.1\r\nX: y", server.url(), {}, ""}, {}},
        {post("file:///etc/passwd"), {}},
        {post("autosync.sent"), {}},
        {post(""), {}},
        {post("ftp://127.0.0.1/"), {}},
    };
    Client client;
    for (const auto &[request, access] : bad) {
        const auto response = ask(client, request, access);
        EXPECT_EQ(response.failure, Failure::connect) << request.url;
        EXPECT_FALSE(response.error.empty());
    }
    EXPECT_EQ(server.connections(), 0);
}

TEST(HttpClient, SendsEmptyAndUnusualHeaders)
{
    HttpServer server{echo};
    ask(post(server.url(), "", {{"X-Empty", ""}, {"X-Utf8", "gr\xc3\xbc\xc3\x9f"}, {"User-Agent", "me"}}));
    const auto received = server.received().at(0);
    EXPECT_NE(received.head.find("\r\nX-Empty:"), std::string::npos) << received.head;
    EXPECT_TRUE(received.has("X-Utf8: gr\xc3\xbc\xc3\x9f"));
}

TEST(HttpClient, DoesNotFollowRedirects)
{
    HttpServer server{[](Connection &connection, const Received &) { connection.answer(307, "", "Location: http://169.254.169.254/\r\n"); }};
    EXPECT_EQ(ask(post(server.url())).status, 307);
    EXPECT_EQ(server.received().size(), 1U);
}

TEST(HttpClient, IgnoresProxiesOfTheEnvironment)
{
    HttpServer server{echo};
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    EXPECT_EQ(ask(post(server.url())).status, 200);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

TEST(HttpClient, TellsNothingSentFromOutcomeUnknown)
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

TEST(HttpClient, TakesAHalfAnswerForNone)
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

TEST(HttpClient, EndsASlowAnswer)
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

TEST(HttpClient, BoundsTheAnswer)
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

TEST(HttpClient, ReadsGzipAndBoundsWhatItUnpacks)
{
    const std::string hello{"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00", 25};
    HttpServer server{[&](Connection &connection, const Received &) { connection.answer(200, hello, "Content-Encoding: gzip\r\n"); }};
    EXPECT_EQ(ask(post(server.url())).body, "hello");
    EXPECT_NE(server.received().at(0).head.find("Accept-Encoding: gzip"), std::string::npos);
    Limits limits;
    limits.answer_bytes = 4;
    EXPECT_EQ(ask(post(server.url()), {}, limits).failure, Failure::too_large);
}

TEST(HttpClient, ReadsRetryAfterOfTheFinalAnswer)
{
    HttpServer server{[](Connection &connection, const Received &) {
        connection.write("HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n");
        connection.answer(429, "slow down", "retry-after: 7\r\n");
    }};
    const auto response = ask(post(server.url()));
    EXPECT_EQ(response.status, 429);
    EXPECT_EQ(response.retry_after, 7s);
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

TEST(HttpClient, AsksOnlyAllowedHosts)
{
    HttpServer server{echo};
    Limits limits;
    const auto asked = [&](std::string_view allowed) {
        limits.allowed_hosts = allowed;
        return ask(post(server.url()), {}, limits);
    };
    EXPECT_EQ(asked("example.com, 127.0.0.2").failure, Failure::connect);
    EXPECT_EQ(asked("").failure, Failure::connect);
    EXPECT_EQ(server.connections(), 0);
    EXPECT_EQ(asked("127.0.0.0/8").status, 200);
    EXPECT_EQ(asked("*").status, 200);
    for (const auto *url : {"http://169.254.169.254/", "http://[fe80::1]/", "http://[fd00:ec2::254]/", "http://[::ffff:169.254.169.254]/",
                            "http://2852039166/", "http://0xa9fea9fe/", "http://[64:ff9b::169.254.169.254]/"}) {
        const auto response = ask(post(url));
        EXPECT_EQ(response.failure, Failure::connect) << url;
        EXPECT_NE(response.error.find("allowed_hosts"), std::string::npos) << url << response.error;
    }
}

TEST(HttpClient, AsksAgainOnAConnectionThatIsOpenAlready)
{
    HttpServer server{echo};
    Client client;
    Limits limits;
    EXPECT_EQ(ask(client, post(server.url()), {}, limits).status, 200);
    limits.allowed_hosts = "10.0.0.0/8";
    EXPECT_EQ(ask(client, post(server.url()), {}, limits).failure, Failure::connect);
    EXPECT_EQ(server.received().size(), 1U);
}

} // namespace
} // namespace autosync::http
