#include "worker/wall_clock.hpp"

#include <algorithm>

#include "pg/postgres.hpp"

namespace autosync::worker {

using std::chrono::milliseconds;

bool WallClock::was_set_back(std::chrono::steady_clock::time_point now)
{
    const auto ahead = milliseconds{GetCurrentTimestamp() / 1'000} - std::chrono::duration_cast<milliseconds>(now.time_since_epoch());
    const bool back = !ahead_ || ahead <= *ahead_ - noticeable;
    ahead_ = back ? ahead : std::max(ahead, *ahead_);
    return back;
}

} // namespace autosync::worker
