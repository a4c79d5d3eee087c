#include "worker/census.hpp"

#include "config/target.hpp"
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

void Census::begin(std::int64_t instance)
{
    const auto cursors = outbox::load_cursors(instance);
    count_ = Count{operate::Walk{instance, cursors, config::target_names()}, GetCurrentTimestamp()};
}

void Census::go_on()
{
    constexpr std::chrono::milliseconds piece{2};
    const auto until = Clock::now() + piece;
    const auto count = [this](const operate::Pending &pending) {
        count_->found[pending.target].add(pending);
        return true;
    };
    if (!count_->walk.go_on(count, [until] { return Clock::now() >= until; }))
        return;
    publish();
    count_.reset();
}

void Census::publish()
{
    some_ = false;
    for (const auto &state : operate::load_states(count_->found)) {
        some_ = some_ || state.pending + state.retrying > 0;
        change_slot(state.target, [&](TargetSlot &slot) {
            slot.pending = state.pending;
            slot.oldest_pending = state.oldest_pending;
            slot.counted_at = count_->began;
        });
    }
    counted_ = true;
}

std::optional<Census::Clock::time_point> Census::take(std::int64_t instance, Clock::time_point now, std::uint64_t looks)
{
    constexpr int share = 50; // of the time at most
    constexpr std::chrono::seconds least{1};
    if (!shared_memory_available())
        return std::nullopt;
    measure_pace(now);
    if (now >= due_ && (count_ || !counted_ || some_ || looks != looks_)) {
        const auto began = Clock::now();
        pg::transaction([&] {
            const pg::ActiveSnapshot snapshot;
            if (!count_) {
                looks_ = looks;
                begin(instance);
            }
            go_on();
        });
        const auto ended = Clock::now();
        const auto rest = share * (ended - began);
        due_ = ended + (count_ ? rest : std::max<Clock::duration>(least, rest));
    }
    return count_ ? std::optional{due_} : std::nullopt;
}

} // namespace autosync::worker
