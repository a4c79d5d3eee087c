// Waiting times on the monotonic clock.
#pragma once

#include <chrono>

namespace autosync::worker {

inline constexpr std::chrono::milliseconds forever{3'600'000}; ///< nothing is due: something will wake us

/// From `now` until `then`, rounded up, so that nobody wakes too early; 0 when it has come.
[[nodiscard]] inline std::chrono::milliseconds until(std::chrono::steady_clock::time_point then, std::chrono::steady_clock::time_point now)
{
    using std::chrono::milliseconds;
    return then <= now ? milliseconds{0} : std::chrono::duration_cast<milliseconds>(then - now) + milliseconds{1};
}

} // namespace autosync::worker
