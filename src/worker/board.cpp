// What was read of an entity, and whether it goes with a flight.

#include <algorithm>

#include "worker/round.hpp"

namespace autosync::worker {

bool nothing_to_send(const Declared &declared, const Item &item, const ReadRow &row, bool sweeping)
{
    if (!row.change.removed)
        return sweeping; // it is there as it should be: events and backfills take care of it
    if (item.rekeyed && !row.filtered && !(sweeping && row.skip))
        return false;
    return row.skip || (!row.filtered && !declared.removes && !sweeping);
}

void enter(Flight &flight, const Declared &declared, const Destination &destination, const Lanes &lanes)
{
    flight.target = destination.access.at(declared.sync.owner);
    flight.lane = declared.lane;
    lanes.apply(flight.lane, flight.target);
}

void board(Flight &flight, const std::shared_ptr<Declared> &declared, Item item, ReadRow row)
{
    const auto known = std::find(flight.declared.begin(), flight.declared.end(), declared);
    row.change.source = static_cast<std::size_t>(known - flight.declared.begin());
    if (known == flight.declared.end()) {
        flight.declared.push_back(declared);
        flight.sources.push_back(&declared->sync.source);
        flight.mappings.push_back(declared->mapping.get());
    }
    item.version = row.version;
    flight.changes.push_back(std::move(row.change));
    flight.items.push_back(std::move(item));
}

} // namespace autosync::worker
