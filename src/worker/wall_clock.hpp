// Whether the wall clock goes on as the one does that is never set.
#pragma once

#include <chrono>
#include <optional>

namespace autosync::worker {

class WallClock final {
public:
    static constexpr std::chrono::milliseconds noticeable{60'000}; ///< less than that is not waited for, nor mended

    /// It was set back since it was looked at before, or this is the first time: nobody knows what it was then.
    [[nodiscard]] bool was_set_back(std::chrono::steady_clock::time_point now);

private:
    std::optional<std::chrono::milliseconds> ahead_; ///< of the clock that is never set, at most
};

} // namespace autosync::worker
