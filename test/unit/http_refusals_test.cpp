// What is never sent, and to whom.
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "http_asking.hpp"
#include "http_server.hpp"

namespace autosync::http {
namespace {

using test::ask;
using test::Connection;
using test::HttpServer;
using test::post;
using test::Received;
using Failure = Response::Failure;

void echo(Connection &connection, const Received &request) { connection.answer(200, request.body, "Content-Type: application/json\r\n"); }

TEST(HttpRefusals, NeverShowsSecretsInErrors)
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

TEST(HttpRefusals, RefusesWhatCouldSmuggle)
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

TEST(HttpRefusals, AsksOnlyAllowedHosts)
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

TEST(HttpRefusals, AsksAgainOnAConnectionThatIsOpenAlready)
{
    HttpServer server{echo};
    Client client;
    Limits limits;
    EXPECT_EQ(ask(client, post(server.url()), {}, limits).status, 200);
    limits.allowed_hosts = "10.0.0.0/8";
    EXPECT_EQ(ask(client, post(server.url()), {}, limits).failure, Failure::connect);
    EXPECT_EQ(server.received().size(), 1U);
}

/// The name is looked up again for each connection: what counts is the address that is connected to.
TEST(HttpRefusals, LooksAtTheAddressOfANameThatWasRebound)
{
    HttpServer server{echo};
    auto url = server.url();
    url.replace(url.find("127.0.0.1"), 9, "rebound.test");
    EXPECT_EQ(ask(post(url)).status, 200);
    const auto response = ask(post(url));
    EXPECT_EQ(response.failure, Failure::connect);
    EXPECT_NE(response.error.find("allowed_hosts"), std::string::npos) << response.error;
    EXPECT_EQ(server.received().size(), 1U);
}

TEST(HttpRefusals, DoesNotFollowRedirects)
{
    HttpServer server{[](Connection &connection, const Received &) { connection.answer(307, "", "Location: http://169.254.169.254/\r\n"); }};
    EXPECT_EQ(ask(post(server.url())).status, 307);
    EXPECT_EQ(server.received().size(), 1U);
}

TEST(HttpRefusals, IgnoresProxiesOfTheEnvironment)
{
    HttpServer server{echo};
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    EXPECT_EQ(ask(post(server.url())).status, 200);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

} // namespace
} // namespace autosync::http
