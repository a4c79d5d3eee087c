#include <algorithm>
#include <charconv>
#include <cmath>

#include "http/transfer.hpp"

namespace autosync::http {

std::optional<std::chrono::seconds> parse_retry_after(std::string_view value, std::chrono::system_clock::time_point now)
{
    constexpr double day = 86'400;
    const auto begin = value.find_first_not_of(" \t");
    if (begin == std::string_view::npos)
        return std::nullopt;
    value = value.substr(begin, value.find_last_not_of(" \t\r\n") - begin + 1);

    double wait = 0;
    if (value.find_first_not_of("-.0123456789") == std::string_view::npos) {
        const auto parsed = std::from_chars(value.data(), value.data() + value.size(), wait, std::chars_format::fixed);
        if (parsed.ec == std::errc::result_out_of_range)
            wait = value.front() == '-' ? 0 : day;
        else if (parsed.ec != std::errc{} || parsed.ptr != value.data() + value.size())
            return std::nullopt;
    } else {
        const auto date = curl_getdate(std::string{value}.c_str(), nullptr);
        if (date == -1)
            return std::nullopt;
        wait = static_cast<double>(date) - std::chrono::duration<double>(now.time_since_epoch()).count(); // a clock's own unit ends in the year 2262
    }
    return std::chrono::seconds{std::lround(std::ceil(std::clamp(wait, 0.0, day)))};
}

} // namespace autosync::http
