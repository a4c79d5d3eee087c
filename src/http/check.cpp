#include "http/check.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include <curl/curl.h>

namespace autosync::http {
namespace {

// These decide where a request ends; libcurl sets them.
constexpr std::array<std::string_view, 2> framing{"content-length", "transfer-encoding"};

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool is_token_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_token_character); }

bool has_control(std::string_view text) { return std::any_of(text.begin(), text.end(), is_control); }

std::optional<std::string> check_headers(const Headers &headers)
{
    for (const auto &header : headers) {
        const auto &[name, value] = header;
        if (!is_token(name))
            return "a header name is empty or holds characters that header names cannot have";
        if (has_control(value))
            return "the value of header \"" + name + "\" holds a control character";
        if (std::any_of(framing.begin(), framing.end(), [&](std::string_view reserved) { return same_header(header.first, reserved); }))
            return "header \"" + name + "\" cannot be set";
    }
    return std::nullopt;
}

struct FreeUrl {
    void operator()(CURLU *url) const noexcept { curl_url_cleanup(url); }
};
struct FreeText {
    void operator()(char *text) const noexcept { curl_free(text); }
};

std::optional<std::string> part(CURLU *url, CURLUPart which)
{
    char *raw = nullptr;
    if (curl_url_get(url, which, &raw, 0) != CURLUE_OK)
        return std::nullopt;
    const std::unique_ptr<char, FreeText> text{raw};
    return std::string{text.get()};
}

} // namespace

bool same_header(std::string_view left, std::string_view right)
{
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](char a, char b) { return lower(a) == lower(b); });
}

std::optional<std::string> check(const Request &request, const Access &access)
{
    if (!is_token(request.method))
        return "the request method is not a word";
    if (has_control(request.url))
        return "the URL holds a control character";
    if (has_control(access.bearer_token))
        return "the bearer token holds a control character";
    if (access.username.find('\0') != std::string::npos || access.password.find('\0') != std::string::npos)
        return "the user name or password holds a NUL character";
    if (auto problem = check_headers(request.headers))
        return problem;
    return check_headers(access.secret_headers);
}

std::optional<Endpoint> endpoint(const std::string &url)
{
    const std::unique_ptr<CURLU, FreeUrl> parsed{curl_url()};
    if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_DISALLOW_USER) != CURLUE_OK)
        return std::nullopt;
    const auto scheme = part(parsed.get(), CURLUPART_SCHEME);
    auto host = part(parsed.get(), CURLUPART_HOST);
    if (!scheme || !host || host->empty() || (*scheme != "http" && *scheme != "https"))
        return std::nullopt;
    return Endpoint{std::move(*host), *scheme == "https"};
}

} // namespace autosync::http
