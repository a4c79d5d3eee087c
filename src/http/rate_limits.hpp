// What APIs that count requests and tokens say about their limits in headers: x-ratelimit-remaining-requests: 0, x-ratelimit-reset-requests: 6m0s.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace autosync::http {

/// Of one answer. For the case that it does not say Retry-After.
class RateLimits final {
public:
    /// Takes headers of other names too, and forgets them.
    void note(std::string_view name, std::string_view value);
    void clear() { count_ = 0; }
    /// Until all limits that are used up have their whole amount again, at most a day; if none says that it is, until all have.
    [[nodiscard]] std::optional<std::chrono::seconds> wait() const;

private:
    struct Limit {
        std::string unit; ///< what is counted: '-requests', '-tokens'
        bool used_up = false;
        std::optional<std::chrono::milliseconds> reset;
    };
    std::array<Limit, 8> limits_{};
    std::size_t count_ = 0;
};

/// '120ms', '1s', '6m0s', '1h2m3.5s', or a bare number of seconds; nullopt: anything else, or longer than a day.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

} // namespace autosync::http
