#include "outbox/horizon.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace autosync::outbox {

namespace {

std::uint64_t take_number(std::string_view &text)
{
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{})
        throw std::runtime_error{"not a snapshot: a number was expected"};
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

void take_colon(std::string_view &text)
{
    if (text.empty() || text.front() != ':')
        throw std::runtime_error{"not a snapshot: a colon was expected"};
    text.remove_prefix(1);
}

} // namespace

bool Horizon::sees(std::uint64_t xid) const
{
    if (xid < xmin)
        return true;
    return xid < xmax && !std::binary_search(in_progress.begin(), in_progress.end(), xid);
}

std::string Horizon::text() const
{
    std::string out = std::to_string(xmin) + ":" + std::to_string(xmax) + ":";
    for (std::size_t i = 0; i < in_progress.size(); ++i)
        out += (i == 0 ? "" : ",") + std::to_string(in_progress[i]);
    return out;
}

Horizon Horizon::parse(std::string_view text)
{
    Horizon horizon;
    horizon.xmin = take_number(text);
    take_colon(text);
    horizon.xmax = take_number(text);
    take_colon(text);
    while (!text.empty()) {
        horizon.in_progress.push_back(take_number(text));
        if (!text.empty() && text.front() == ',')
            text.remove_prefix(1);
        else if (!text.empty())
            throw std::runtime_error{"not a snapshot: a comma was expected"};
    }
    std::sort(horizon.in_progress.begin(), horizon.in_progress.end());
    return horizon;
}

} // namespace autosync::outbox
