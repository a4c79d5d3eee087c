// What a runner of an AT Protocol target does for identities and records, beside its rounds.

#include <algorithm>

#include "outbox/exceptions.hpp"
#include "worker/records.hpp"
#include "worker/runner.hpp"
#include "worker/time.hpp"
#include "worker/writeback.hpp"

namespace autosync::worker {

using std::chrono::milliseconds;

/// The record map follows, and the rows learn where their records are.
void Runner::land_records()
{
    settle_records(desk_.instance, target_, *flight_, flight_->version);
    const auto &results = flight_->delivery->results();
    for (std::size_t source = 0; source < flight_->declared.size(); ++source) {
        const auto &sync = flight_->declared[source]->sync;
        if (!writes_back(sync))
            continue;
        std::vector<std::vector<std::string>> gone;
        for (std::size_t i = 0; i < results.size(); ++i) {
            if (flight_->changes[i].source == source && results[i].state == delivery::Result::State::delivered && flight_->context->intents[i].leaves_nothing())
                gone.push_back(flight_->items[i].wanted.columns);
        }
        if (!gone.empty())
            forget_records(sync, gone);
        if (!write_back(desk_.instance, sync)) {
            unwritten_ = true;
            write_pause_ = milliseconds{500};
            write_at_ = std::chrono::steady_clock::now() + write_pause_;
        }
    }
}

/// What AT Protocol targets do beside their rounds.
milliseconds Runner::keep_identities(TimePoint now)
{
    if (!mapped())
        return forever;
    const auto patience = keeper_.turn(now, *any_access(), has_exceptions_, destination()->syncs);
    if (unwritten_ && now >= write_at_) {
        constexpr milliseconds longest{60'000}; // a row that is gone while its record is kept never learns of it
        write_pause_ = std::min(longest, 2 * write_pause_);
        write_at_ = now + write_pause_;
        unwritten_ = false;
        for (const auto &declared : destination()->syncs)
            unwritten_ = (writes_back(declared->sync) && declared->problem.empty() && !write_back(desk_.instance, declared->sync)) || unwritten_;
    }
    return unwritten_ ? std::min(patience, std::max(milliseconds{1}, until(write_at_, now))) : patience;
}

} // namespace autosync::worker
