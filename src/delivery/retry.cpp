#include "delivery/retry.hpp"

#include <algorithm>
#include <limits>

namespace autosync::delivery {
namespace {

using std::chrono::milliseconds;

milliseconds jittered(milliseconds whole, std::minstd_rand &random)
{
    return milliseconds{std::uniform_int_distribution<milliseconds::rep>{whole.count() / 2, whole.count()}(random)};
}

} // namespace

milliseconds backoff(const BackoffLimits &limits, unsigned failures, std::minstd_rand &random)
{
    const auto maximum = std::max(limits.maximum, milliseconds{1});
    auto whole = std::clamp(limits.initial, milliseconds{1}, maximum);
    for (unsigned doubled = 1; doubled < failures && whole < maximum; ++doubled)
        whole = whole > maximum / 2 ? maximum : whole * 2;
    return jittered(whole, random);
}

Breaker::Breaker(BackoffLimits limits, std::uint32_t seed) : limits_{limits}, random_{seed} {}

void Breaker::succeeded()
{
    failures_ = 0;
    open_until_ = {};
}

void Breaker::failed(Clock::time_point now, std::optional<std::chrono::seconds> retry_after)
{
    failures_ += failures_ < std::numeric_limits<unsigned>::max();
    // A target that names its time is asked soon after it, not at the end of a backoff that grew meanwhile; all its clients are not
    // asked for the same instant.
    if (retry_after && retry_after->count() > 0) {
        const milliseconds spread = std::min<milliseconds>(*retry_after / 10 + milliseconds{100}, milliseconds{1'000});
        open_until_ = now + *retry_after + jittered(spread, random_);
    } else {
        open_until_ = now + backoff(limits_, failures_, random_);
    }
}

void Breaker::reset() { open_until_ = {}; }

void TokenBucket::rate(double per_second)
{
    per_second = std::max(per_second, 0.0);
    if (per_second == rate_)
        return;
    const double burst = std::max(per_second, 1.0);
    tokens_ = rate_ == 0 ? burst : std::min(tokens_, burst);
    rate_ = per_second;
}

void TokenBucket::fill(Clock::time_point now)
{
    if (now > filled_) {
        tokens_ = std::min(std::max(rate_, 1.0), tokens_ + rate_ * std::chrono::duration<double>(now - filled_).count());
        filled_ = now;
    }
}

bool TokenBucket::take(Clock::time_point now)
{
    constexpr double whole = 1 - 1e-6; // what rounding leaves of a token
    if (rate_ == 0)
        return true;
    fill(now);
    if (tokens_ < whole)
        return false;
    tokens_ -= 1;
    return true;
}

std::size_t TokenBucket::available(Clock::time_point now)
{
    if (rate_ == 0)
        return std::numeric_limits<std::size_t>::max();
    fill(now);
    constexpr double rounding = 1e-6;
    return static_cast<std::size_t>(std::max(tokens_ + rounding, 0.0));
}

void TokenBucket::spend(Clock::time_point now)
{
    if (rate_ == 0)
        return;
    fill(now);
    tokens_ -= 1;
}

Clock::time_point TokenBucket::next(Clock::time_point now) const
{
    if (rate_ == 0)
        return now;
    auto later = *this;
    later.fill(now);
    if (later.tokens_ >= 1)
        return now;
    return now + std::chrono::ceil<Clock::duration>(std::chrono::duration<double>((1 - later.tokens_) / rate_));
}

} // namespace autosync::delivery
