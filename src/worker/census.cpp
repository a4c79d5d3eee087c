#include "worker/census.hpp"

#include "operate/states.hpp"
#include "pg/spi.hpp"
#include "worker/slots.hpp"
#include "worker/worker.hpp"

namespace autosync::worker {

void Census::measure_pace(Clock::time_point now)
{
    constexpr std::chrono::seconds pause{1};
    if (now - paced_at_ < pause)
        return;
    const double seconds = std::chrono::duration<double>(now - paced_at_).count();
    const bool first = paced_at_ == Clock::time_point{};
    paced_at_ = now;
    double all = 0;
    {
        const Locked lock{LW_EXCLUSIVE};
        for (auto &slot : shared()->targets) {
            if (slot.database != MyDatabaseId)
                continue;
            slot.events_per_second = first || slot.delivered < slot.paced ? 0 : static_cast<double>(slot.delivered - slot.paced) / seconds;
            slot.paced = slot.delivered;
            all += slot.events_per_second;
        }
    }
    pace(all);
}

void Census::take(Clock::time_point now, std::uint64_t looks)
{
    if (shared_memory_available())
        measure_pace(now);
    constexpr int share = 50; // of the time at most: a long log takes long to count
    constexpr std::chrono::seconds least{1};
    if (!shared_memory_available() || now < due_ || (counted_ && !some_ && looks == looks_))
        return;
    looks_ = looks;
    counted_ = true;
    some_ = false;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        for (const auto &state : operate::load_states()) {
            some_ = some_ || state.pending + state.retrying > 0;
            TargetSlot *const slot = target_slot(MyDatabaseId, state.target.c_str());
            if (slot == nullptr)
                continue;
            const Locked lock{LW_EXCLUSIVE};
            slot->pending = state.pending;
            slot->oldest_pending = state.oldest_pending;
            slot->counted_at = GetCurrentTimestamp();
        }
    });
    due_ = now + std::max<Clock::duration>(least, share * (Clock::now() - now));
}

} // namespace autosync::worker
