// What the answers that cost nothing share: counting JSON without parsing it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace instant {

/// One answer, and how many rows its request brought.
struct Answer {
    std::string body;
    std::size_t rows = 0;
};

/// The members of an array of JSON values that begins at `at` (behind its bracket); `at` ends up behind the closing one.
inline std::size_t count_members(std::string_view text, std::size_t &at)
{
    std::size_t members = 0;
    int depth = 0;
    bool empty = true;
    for (bool inside = false; at < text.size(); ++at) {
        const char c = text[at];
        if (inside) { // a string ends at a quote that no backslash stands before
            at = text.find_first_of("\"\\", at);
            if (at == std::string_view::npos)
                break;
            if (text[at] == '\\')
                ++at;
            else
                inside = false;
            continue;
        }
        if (c == ']' && depth == 0)
            break;
        empty = false;
        if (c == '"')
            inside = true;
        else if (c == '{' || c == '[')
            ++depth;
        else if (c == '}' || c == ']')
            --depth;
        else if (c == ',' && depth == 0)
            ++members;
    }
    return empty ? 0 : members + 1;
}

} // namespace instant
