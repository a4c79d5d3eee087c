// In which order transactions changed rows, and what is passed when some of them are dealt with. Knows nothing of PostgreSQL.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "outbox/horizon.hpp"

namespace autosync::outbox {

/// Where a cursor of events that are told one by one stands in for its source: no table has this oid.
inline constexpr std::uint32_t history_source = 1;

/// Transactions between two snapshots that are still to be dealt with.
class Sequence final {
public:
    struct Place {
        std::uint64_t seal = 0; ///< whoever changes a row later has a higher one
        std::uint64_t xid = 0;

        friend auto operator<=>(const Place &, const Place &) = default;
    };

    /// What lies between `passed` and `upto`, in any order.
    void begin(const Horizon &passed, const Horizon &upto, std::vector<Place> places);
    /// It goes on from this cursor.
    [[nodiscard]] bool stands_at(const Horizon &passed) const { return !rest_.empty() && passed == passed_; }

    [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
    [[nodiscard]] const Place &next() const { return rest_.back(); }
    void pass(); ///< the next one is dealt with
    /// What is passed by now; from there it goes on.
    [[nodiscard]] const Horizon &passed();
    /// The same, once the next one is dealt with as well.
    [[nodiscard]] Horizon passed_after_next() const;

private:
    [[nodiscard]] Horizon without(std::span<const Place> rest, std::uint64_t newest) const;

    Horizon passed_; ///< as of the last time it was asked for
    Horizon upto_;
    std::vector<Place> rest_; ///< the next one last
    std::uint64_t newest_ = 0; ///< of those that are dealt with, or the last that `passed` saw
};

} // namespace autosync::outbox
