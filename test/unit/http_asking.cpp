#include "http_asking.hpp"

#include <algorithm>
#include <utility>

#include <gtest/gtest.h>
#include <poll.h>

namespace autosync::test {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

std::map<http::Client::Ticket, http::Response> drive(http::Client &client, std::chrono::milliseconds longest)
{
    std::map<http::Client::Ticket, http::Response> answers;
    const auto end = Clock::now() + longest;
    while (client.in_flight() > 0 && Clock::now() < end) {
        pollfd ready{client.descriptor(), POLLIN, 0};
        poll(&ready, 1, static_cast<int>(std::min<std::chrono::milliseconds>(client.patience(), 100ms).count()));
        for (auto &[ticket, response] : client.work())
            answers.emplace(ticket, std::move(response));
    }
    return answers;
}

http::Response ask(http::Client &client, const http::Request &request, const http::Access &access, const http::Limits &limits)
{
    const auto ticket = client.send(request, access, limits);
    auto answers = drive(client);
    EXPECT_EQ(answers.size(), 1U);
    return answers[ticket];
}

http::Response ask(const http::Request &request, const http::Access &access, const http::Limits &limits)
{
    http::Client client;
    return ask(client, request, access, limits);
}

http::Request post(std::string url, std::string body, http::Headers headers) { return {"POST", std::move(url), std::move(headers), std::move(body)}; }

} // namespace autosync::test
