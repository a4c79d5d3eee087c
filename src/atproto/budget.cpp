#include "atproto/budget.hpp"

#include <algorithm>

namespace autosync::atproto {
namespace {

constexpr std::chrono::hours hour{1};
constexpr std::chrono::hours day{24};
constexpr std::chrono::minutes grain{1};

} // namespace

void Budget::forget(Clock::time_point now)
{
    while (!spent_.empty() && spent_.front().first + day <= now) {
        day_ -= spent_.front().second;
        spent_.pop_front();
    }
    if (told_ && told_until_ <= now)
        told_.reset();
}

unsigned Budget::left(Clock::time_point now)
{
    forget(now);
    unsigned last_hour = 0;
    for (const auto &[time, points] : spent_)
        last_hour += time + hour > now ? points : 0;
    const unsigned counted = std::min(hourly - std::min(hourly, last_hour), daily - std::min(daily, day_));
    return told_ ? std::min(*told_, counted) : counted;
}

void Budget::spend(unsigned points, Clock::time_point now)
{
    forget(now);
    if (spent_.empty() || spent_.back().first <= now)
        spent_.emplace_back(now + grain, 0); // let go of with the last of its minute: that is careful
    spent_.back().second += points;
    day_ += points;
    if (told_)
        *told_ -= std::min(*told_, points);
}

Budget::Clock::time_point Budget::next(unsigned points, Clock::time_point now)
{
    if (left(now) >= points)
        return now;
    const auto enough = [&](Clock::time_point then) {
        auto later = *this;
        return later.left(then) >= points;
    };
    const auto when = told_ && *told_ < points ? told_until_ : now;
    if (enough(when))
        return when;
    for (const auto &[time, ignored] : spent_) {
        for (const auto window : {hour, day}) {
            const auto then = time + window;
            if (then > when && enough(then))
                return then;
        }
    }
    return std::max(when, now + grain);
}

std::pair<unsigned, std::chrono::seconds> Budget::outlook(Clock::time_point now)
{
    const auto points = left(now);
    return {points, told_ ? std::chrono::ceil<std::chrono::seconds>(told_until_ - now) : std::chrono::seconds{hour}};
}

void Budget::correct(unsigned left, std::chrono::seconds until, Clock::time_point now)
{
    told_ = left;
    told_until_ = now + until;
}

} // namespace autosync::atproto
