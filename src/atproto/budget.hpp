// Points per repository: a server lets each identity write so much an hour and a day, and burns what is left on a batch that asks for more.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <utility>

namespace autosync::atproto {

inline constexpr unsigned create_points = 3;
inline constexpr unsigned update_points = 2; ///< also when nothing changes
inline constexpr unsigned delete_points = 1;

/// What one identity may still spend. On the monotonic clock: a server's times are told as distances.
class Budget final {
public:
    using Clock = std::chrono::steady_clock;

    /// Points that may be spent now.
    [[nodiscard]] unsigned left(Clock::time_point now);
    void spend(unsigned points, Clock::time_point now);
    /// When so many can be spent: now, or when enough of what was spent is old enough.
    [[nodiscard]] Clock::time_point next(unsigned points, Clock::time_point now);

    /// The server says how much is left, until when.
    void correct(unsigned left, std::chrono::seconds until, Clock::time_point now);
    /// The server refuses until then.
    void exhausted(std::chrono::seconds until, Clock::time_point now) { correct(0, until, now); }

    /// Nothing is known of it in this process.
    [[nodiscard]] bool fresh() const { return spent_.empty() && !told_; }
    /// For whoever comes after this process: so much may be spent, and for so long no more.
    [[nodiscard]] std::pair<unsigned, std::chrono::seconds> outlook(Clock::time_point now);

    static constexpr unsigned hourly = 5'000;
    static constexpr unsigned daily = 35'000;

private:
    void forget(Clock::time_point now);

    std::deque<std::pair<Clock::time_point, unsigned>> spent_; ///< of the last day, by the minute that ends then
    unsigned day_ = 0;                                         ///< sum of spent_
    std::optional<unsigned> told_;                             ///< by the server, less what was spent since
    Clock::time_point told_until_{};
};

} // namespace autosync::atproto
