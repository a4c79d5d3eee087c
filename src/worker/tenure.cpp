#include "worker/tenure.hpp"

#include <algorithm>

#include "worker/process.hpp"
#include "worker/worker.hpp"

#include "pg/bridge.hpp"

namespace autosync::worker {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds least_share{500};   ///< an idle worker stays that long: databases must not chase each other
constexpr milliseconds full_share{30'000}; ///< a busy one gives way after that long
constexpr milliseconds steady{60'000};     ///< a worker that lived so long starts the count of failures anew
constexpr milliseconds first_backoff{1'000};
constexpr milliseconds last_backoff{300'000};

DatabaseSlot *own = nullptr; ///< of this process, while it has one

milliseconds backoff(int failures)
{
    const int doublings = std::clamp(failures - 1, 0, 16);
    return std::min(first_backoff * (1 << doublings), last_backoff);
}

} // namespace

bool Tenure::begin(Oid database)
{
    const TimestampTz now = GetCurrentTimestamp();
    {
        const Locked lock{LW_EXCLUSIVE};
        auto *const slot = slot_of(database);
        if (slot == nullptr || slot->worker != 0)
            return false;
        ++slot->starts;
        slot->started_at = now;
        if (slot->evicted_by != 0)
            return false;
        slot->worker = MyProcPid;
        slot->latch = MyLatch;
        slot->wanted = false;
        slot->exhausted = false;
        slot->renew = false;
        slot_ = own = slot;
    }
    Tenure *const self = this;
    pg::call([self] { before_shmem_exit(end, PointerGetDatum(self)); });
    return true;
}

/// Nothing of the process may stay behind, or its database would never be served again.
void Tenure::end(int /* code */, Datum argument)
{
    auto &self = *static_cast<Tenure *>(static_cast<void *>(DatumGetPointer(argument)));
    const Ending ending = terminated() && self.ending_ == Ending::failed ? Ending::again : self.ending_;
    const TimestampTz now = GetCurrentTimestamp();
    const bool lasted = self.age() >= steady;
    own = nullptr;
    {
        const Locked lock{LW_EXCLUSIVE};
        auto &slot = *self.slot_;
        slot.worker = 0;
        slot.latch = nullptr;
        slot.activity[0] = '\0';
        slot.current_target[0] = '\0';
        slot.events_per_second = 0;
        slot.ended_at = now;
        slot.exhausted = ending == Ending::retired;
        slot.failures = ending != Ending::failed ? 0 : lasted ? 1 : slot.failures + 1;
        slot.next_start = slot.failures == 0 ? now : TimestampTzPlusMilliseconds(now, backoff(slot.failures).count());
    }
    alert_launcher(ending == Ending::failed);
}

bool Tenure::revoked()
{
    if (!terminated() && slot_->evicted_by == 0 && !slot_->renew)
        return false;
    ending_ = Ending::again;
    return true;
}

bool Tenure::asked() noexcept { return pg_atomic_exchange_u32(&slot_->awake, 0) != 0; }

void Tenure::report_extension(bool installed)
{
    const Locked lock{LW_EXCLUSIVE};
    slot_->has_extension = installed;
}

bool Tenure::retire() { return leave_idle(false); }

/// The latch goes first, the flag is read after it: see wake(), which does it the other way round.
bool Tenure::leave_idle(bool for_another)
{
    const Locked lock{LW_EXCLUSIVE};
    if (for_another && shared()->waiting <= 0)
        return false;
    slot_->latch = nullptr;
    pg_memory_barrier();
    if (pg_atomic_read_u32(&slot_->awake) != 0) {
        slot_->latch = MyLatch;
        return false;
    }
    if (for_another)
        --shared()->waiting;
    ending_ = Ending::retired;
    return true;
}

bool Tenure::give_way(bool idle)
{
    if (shared()->waiting <= 0 || age() < (idle ? least_share : full_share))
        return false;
    if (idle)
        return leave_idle(true);
    const Locked lock{LW_EXCLUSIVE};
    if (shared()->waiting <= 0)
        return false;
    --shared()->waiting;
    slot_->latch = nullptr;
    ending_ = Ending::again;
    return true;
}

milliseconds Tenure::age() const { return milliseconds{TimestampDifferenceMilliseconds(slot_->started_at, GetCurrentTimestamp())}; }

milliseconds Tenure::patience() const
{
    const milliseconds left = least_share - age();
    return shared()->waiting > 0 && left > milliseconds::zero() ? left : milliseconds::max();
}

void activity(const char *text, const char *target)
{
    const bool idle = *text == '\0';
    static bool was_idle = false;
    if (own == nullptr || (idle && was_idle))
        return;
    was_idle = idle;
    pg::call([text, idle] { pgstat_report_activity(idle ? STATE_IDLE : STATE_RUNNING, idle ? nullptr : text); });
    const Locked lock{LW_EXCLUSIVE};
    strlcpy(own->activity, text, sizeof(own->activity));
    strlcpy(own->current_target, target, sizeof(own->current_target));
}

void pace(double events_per_second)
{
    if (own == nullptr)
        return;
    const Locked lock{LW_EXCLUSIVE};
    own->events_per_second = events_per_second;
}

} // namespace autosync::worker
