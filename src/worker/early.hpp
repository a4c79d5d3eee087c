// What sessions hand over before they commit (delivery = sync), on its way to one target.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "delivery/delivery.hpp"
#include "worker/handover.hpp"
#include "worker/round.hpp"

namespace autosync::worker {

/// Of what a session is told when its target is in such trouble.
[[nodiscard]] int sqlstate_of(targets::Outcome outcome, bool timed_out);

class EarlySends final {
public:
    EarlySends(std::int64_t instance, std::string target) : instance_{instance}, target_{std::move(target)} {}
    ~EarlySends(); ///< whoever waits hears that it was given up
    EarlySends(const EarlySends &) = delete;
    EarlySends &operator=(const EarlySends &) = delete;

    void take(Offer offer) { waiting_.push_back(std::move(offer)); }
    [[nodiscard]] bool waiting() const { return !waiting_.empty(); }
    /// The target takes nothing now.
    void refuse(int sqlstate, const std::string &why);
    /// The next that can be sent, with its entities marked as changed; null: there is none (any more).
    [[nodiscard]] std::unique_ptr<Flight> next(const Destination &destination, Lanes &lanes);
    [[nodiscard]] bool flying() const { return flying_.has_value(); }
    /// Tells the session what has become of it.
    void land(const Flight &flight);
    /// What transactions that have ended leave to do. True: there is something due.
    [[nodiscard]] bool follow_up();

private:
    struct Open {
        std::uint64_t xid;
        std::string mark;
    };
    [[nodiscard]] std::unique_ptr<Flight> load(const Offer &offer, const Destination &destination, Lanes &lanes, Verdict &verdict) const;
    [[nodiscard]] bool mark(const Offer &offer, const Flight &flight) const;

    std::int64_t instance_;
    std::string target_;
    std::deque<Offer> waiting_;
    std::optional<Offer> flying_;
    std::vector<Open> open_; ///< marked, and perhaps sent
    bool first_ = true;      ///< marks of an earlier worker may be there
};

} // namespace autosync::worker
