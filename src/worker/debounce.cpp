#include "worker/debounce.hpp"

#include <algorithm>

#include "outbox/held.hpp"

namespace autosync::worker {

namespace {

std::chrono::milliseconds debounce_of(const Destination &destination, Oid table)
{
    const auto declared = destination.find(table);
    if (declared == nullptr)
        return {};
    const auto *const access = destination.access_of(*declared);
    return config::debounce(declared->sync.options, access == nullptr ? std::nullopt : access->debounce);
}

/// The absence of this row is not to remove anything: a mark would say that it does.
bool stays(const Destination &destination, const Item &item)
{
    if (item.operation != "delete" || item.rekeyed)
        return false;
    const auto declared = destination.find(item.table);
    const auto option = declared->sync.options.find("on_delete");
    return option != declared->sync.options.end() && option->second != "remove";
}

} // namespace

void hold_back(const Destination &destination, Round &round)
{
    std::map<Oid, std::chrono::milliseconds> times;
    const TimestampTz now = GetCurrentTimestamp();
    const auto gathered = [&](const Item &item) {
        const auto [time, fresh] = times.try_emplace(item.table);
        if (fresh)
            time->second = debounce_of(destination, item.table);
        return time->second.count() == 0 || item.captured_at == 0 || item.captured_at + time->second.count() * 1'000 <= now || stays(destination, item);
    };
    const auto held = std::stable_partition(round.items.begin(), round.items.end(), gathered);
    for (auto it = held; it != round.items.end(); ++it)
        round.held.push_back({it->table, it->wanted.key, it->event_id, it->rekeyed ? "delete" : it->operation, it->captured_at, times.at(it->table)});
    round.items.erase(held, round.items.end());
}

std::set<Oid> note_held(std::int64_t instance, const std::string &target, const Round &round) { return outbox::note_held(instance, target, round.held); }

} // namespace autosync::worker
