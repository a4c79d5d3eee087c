#include <algorithm>

#include "config/options.hpp"
#include "fuzz.hpp"
#include "http/check.hpp"

namespace autosync::fuzz {

static bool has_control(std::string_view text)
{
    return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// What passes the declaration's check is read by libcurl as the same host; what is sent holds nothing that ends a line.
FUZZ(urls)
{
    Input input{bytes};
    const auto url = input.text();
    (void)config::kind_of_url(url);
    if (const auto http = config::http_url(url))
        holds(http->starts_with("http://") || http->starts_with("https://"));
    if (config::url_problem(url).empty()) {
        holds(!has_control(url));
        if (const auto end = http::endpoint(url)) {
            std::string lowered = url;
            std::ranges::transform(lowered, lowered.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
            holds(lowered.starts_with(end->secure ? "https://" : "http://"));
        }
    }
    http::Request request{"POST", url, {{input.text(), input.text()}}, ""};
    http::Access access;
    access.bearer_token = input.text();
    access.secret_headers = {{input.text(), input.text()}};
    if (!http::check(request, access)) {
        holds(!has_control(request.url) && !has_control(access.bearer_token));
        for (const auto &headers : {request.headers, access.secret_headers})
            for (const auto &[name, value] : headers)
                holds(!name.empty() && !has_control(name) && !has_control(value) && name.find_first_of(": ") == std::string::npos);
    }
}

} // namespace autosync::fuzz
