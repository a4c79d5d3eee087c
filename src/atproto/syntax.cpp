#include "atproto/syntax.hpp"

#include <algorithm>
#include <cstddef>

namespace autosync::atproto {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_alphanumeric(char c) { return is_letter(c) || is_digit(c); }

/// A label of a host name.
bool is_label(std::string_view text)
{
    constexpr std::size_t longest = 63;
    return !text.empty() && text.size() <= longest && text.front() != '-' && text.back() != '-' &&
           std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '-'; });
}

/// Labels joined by dots: how many; 0 when one of them is none. `last` receives the last one.
std::size_t count_labels(std::string_view text, std::string_view &last)
{
    std::size_t count = 0;
    for (;;) {
        const auto dot = text.find('.');
        last = text.substr(0, dot);
        if (!is_label(last))
            return 0;
        ++count;
        if (dot == std::string_view::npos)
            return count;
        text.remove_prefix(dot + 1);
    }
}

/// Takes `digits` digits off the front; -1 when they are not there.
int take_number(std::string_view &text, std::size_t digits)
{
    if (text.size() < digits || !std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(digits), is_digit))
        return -1;
    int number = 0;
    for (const char c : text.substr(0, digits))
        number = number * 10 + (c - '0');
    text.remove_prefix(digits);
    return number;
}

bool take(std::string_view &text, char wanted)
{
    if (text.empty() || text.front() != wanted)
        return false;
    text.remove_prefix(1);
    return true;
}

bool take_number_within(std::string_view &text, int least, int most)
{
    const int number = take_number(text, 2);
    return number >= least && number <= most;
}

int days_of(int year, int month)
{
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (month == 2)
        return leap ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

bool take_date(std::string_view &text)
{
    const int year = take_number(text, 4);
    if (year < 1 || !take(text, '-'))
        return false;
    const int month = take_number(text, 2);
    return month >= 1 && month <= 12 && take(text, '-') && take_number_within(text, 1, days_of(year, month));
}

bool take_time(std::string_view &text)
{
    if (!take_number_within(text, 0, 23) || !take(text, ':') || !take_number_within(text, 0, 59) || !take(text, ':') ||
        !take_number_within(text, 0, 59))
        return false;
    if (!take(text, '.'))
        return true;
    const auto digits = std::ranges::find_if_not(text, is_digit) - text.begin();
    text.remove_prefix(static_cast<std::size_t>(digits));
    return digits >= 1 && digits <= 20;
}

} // namespace

bool is_nsid(std::string_view text)
{
    constexpr std::size_t longest = 317;
    std::string_view name;
    return text.size() <= longest && !text.empty() && is_letter(text.front()) && count_labels(text, name) >= 3 && is_letter(name.front()) &&
           std::ranges::all_of(name, is_alphanumeric);
}

bool is_did(std::string_view text)
{
    constexpr std::size_t longest = 2'048;
    if (text.size() > longest || !text.starts_with("did:"))
        return false;
    text.remove_prefix(4);
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size())
        return false;
    const auto method = text.substr(0, colon);
    const auto rest = text.substr(colon + 1);
    return std::ranges::all_of(method, [](char c) { return c >= 'a' && c <= 'z'; }) && rest.back() != ':' && rest.back() != '%' &&
           std::ranges::all_of(rest, [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == ':' || c == '%' || c == '-'; });
}

bool is_handle(std::string_view text)
{
    constexpr std::size_t longest = 253;
    std::string_view last;
    return text.size() <= longest && count_labels(text, last) >= 2 && is_letter(last.front());
}

bool is_rkey(std::string_view text)
{
    constexpr std::size_t longest = 512;
    return !text.empty() && text.size() <= longest && text != "." && text != ".." && std::ranges::all_of(text, [](char c) {
        return is_alphanumeric(c) || c == '.' || c == '_' || c == ':' || c == '~' || c == '-';
    });
}

bool is_datetime(std::string_view text)
{
    if (!take_date(text) || !take(text, 'T') || !take_time(text))
        return false;
    if (text == "Z")
        return true;
    if (text == "-00:00") // means 'of an unknown zone'
        return false;
    return (take(text, '+') || take(text, '-')) && take_number_within(text, 0, 23) && take(text, ':') && take_number_within(text, 0, 59) && text.empty();
}

} // namespace autosync::atproto
