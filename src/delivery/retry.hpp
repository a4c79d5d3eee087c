// When to try again: backoff with full jitter, a breaker per target, a token bucket. On the monotonic clock only.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>

namespace autosync::delivery {

using Clock = std::chrono::steady_clock;

struct BackoffLimits {
    std::chrono::milliseconds initial{1'000};
    std::chrono::milliseconds maximum{300'000};
};

/// Delay before attempt number `failures` + 1: uniform in [half, whole] of min(maximum, initial * 2^(failures-1)).
[[nodiscard]] std::chrono::milliseconds backoff(const BackoffLimits &limits, unsigned failures, std::minstd_rand &random);

/// Closed: send. After a failure open until its time has come, then half open: one try decides.
class Breaker final {
public:
    explicit Breaker(BackoffLimits limits, std::uint32_t seed = 1);
    void limits(BackoffLimits limits) { limits_ = limits; }
    [[nodiscard]] bool allows(Clock::time_point now) const { return now >= open_until_; }
    [[nodiscard]] Clock::time_point open_until() const { return open_until_; }
    [[nodiscard]] unsigned failures() const { return failures_; }
    void succeeded();
    /// A target that names its own time (`retry_after`) is not asked before it.
    void failed(Clock::time_point now, std::optional<std::chrono::seconds> retry_after);
    void reset(); ///< a user asked to try now

private:
    BackoffLimits limits_;
    std::minstd_rand random_;
    unsigned failures_ = 0;
    Clock::time_point open_until_{};
};

/// rate_limit in requests per second; 0 = unlimited. Burst: one second's worth, at least one.
class TokenBucket final {
public:
    void rate(double per_second);
    [[nodiscard]] bool take(Clock::time_point now);
    [[nodiscard]] Clock::time_point next(Clock::time_point now) const; ///< when take() will succeed
    [[nodiscard]] std::size_t available(Clock::time_point now); ///< how often take() will succeed now
    void spend(Clock::time_point now); ///< takes one also where there is none: then the next has to wait longer
    void give_back() { tokens_ += rate_ > 0 ? 1 : 0; }                 ///< what was taken was not used

private:
    void fill(Clock::time_point now);
    double rate_ = 0;
    double tokens_ = 1;
    Clock::time_point filled_{};
};

} // namespace autosync::delivery
