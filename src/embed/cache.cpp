#include "embed/cache.hpp"

#include <iterator>
#include <utility>

namespace autosync::embed {

std::size_t Cache::cost(const Entry &entry)
{
    constexpr std::size_t bookkeeping = 200; // nodes of list and map, and what allocations cost beside their content
    return entry.fingerprint.size() + entry.vector->size() + bookkeeping;
}

void Cache::drop(std::list<Entry>::iterator entry)
{
    bytes_ -= cost(*entry);
    places_.erase(entry->fingerprint);
    entries_.erase(entry);
}

Vector Cache::find(std::string_view fingerprint)
{
    const auto found = places_.find(fingerprint);
    if (found == places_.end())
        return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return entries_.front().vector;
}

void Cache::forget(std::string_view fingerprint)
{
    if (const auto found = places_.find(fingerprint); found != places_.end())
        drop(found->second);
}

void Cache::put(std::string_view fingerprint, Vector vector)
{
    forget(fingerprint);
    Entry entry{std::string(fingerprint), std::move(vector)};
    const auto size = cost(entry);
    if (size > most_)
        return;
    while (bytes_ + size > most_)
        drop(std::prev(entries_.end()));
    entries_.push_front(std::move(entry));
    places_.emplace(entries_.front().fingerprint, entries_.begin());
    bytes_ += size;
}

} // namespace autosync::embed
