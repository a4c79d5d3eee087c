#include "worker/clock.hpp"

#include <algorithm>
#include <chrono>
#include <string>

#include "pg/spi.hpp"

namespace autosync::worker {

namespace {

constexpr std::int64_t ahead = 10'000'000; // reserved at a time: 10 s

std::int64_t wall_clock()
{
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

} // namespace

std::int64_t VersionClock::next()
{
    last_ = std::max(last_ + 1, wall_clock());
    if (last_ > reserved_)
        reserve();
    return last_;
}

void VersionClock::observe(std::int64_t version) { last_ = std::max(last_, version); }

void VersionClock::reserve()
{
    pg::transaction([this] {
        const pg::ActiveSnapshot snapshot;
        if (reserved_ < 0) { // numbers of an earlier worker may have been used up to where it reserved
            const auto before = pg::execute_one("SELECT reserved FROM autosync.clock WHERE instance = $1::int8", {std::to_string(instance_)});
            last_ = std::max<std::int64_t>(last_, before ? std::stoll(*before) + 1 : 0);
        }
        pg::execute("INSERT INTO autosync.clock (instance, reserved) VALUES ($1::int8, $2::int8) ON CONFLICT (instance) DO UPDATE SET reserved = excluded.reserved",
                    {std::to_string(instance_), std::to_string(last_ + ahead)});
    });
    reserved_ = last_ + ahead;
}

} // namespace autosync::worker
