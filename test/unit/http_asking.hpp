// A request and its answer in one call, for tests.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "http/client.hpp"

namespace autosync::test {

std::map<http::Client::Ticket, http::Response> drive(http::Client &client, std::chrono::milliseconds longest = std::chrono::seconds{5});
http::Response ask(http::Client &client, const http::Request &request, const http::Access &access = {}, const http::Limits &limits = {});
http::Response ask(const http::Request &request, const http::Access &access = {}, const http::Limits &limits = {}); ///< with a client of its own
http::Request post(std::string url, std::string body = "{}", http::Headers headers = {{"Content-Type", "application/json"}});

} // namespace autosync::test
