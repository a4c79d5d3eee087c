// What may be put on the wire: everything that could smuggle a second header, request or user past us is refused before libcurl sees it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace autosync::http {

/// What is wrong with a request, for people and without its values (they may be secrets); nullopt: nothing.
[[nodiscard]] std::optional<std::string> check(const Request &request, const Access &access);

[[nodiscard]] bool same_header(std::string_view left, std::string_view right); ///< names are equal whatever their case

/// The host of a checked URL as libcurl reads it ('[::1]' for IPv6), and whether TLS is spoken to it.
struct Endpoint {
    std::string host;
    bool secure = false;
};
[[nodiscard]] std::optional<Endpoint> endpoint(const std::string &url); ///< nullopt: not an http or https URL, or one with credentials in it

} // namespace autosync::http
