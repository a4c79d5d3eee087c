#include "outbox/sequence.hpp"

#include <algorithm>
#include <functional>

namespace autosync::outbox {

void Sequence::begin(const Horizon &passed, const Horizon &upto, std::vector<Place> places)
{
    passed_ = passed;
    upto_ = upto;
    rest_ = std::move(places);
    newest_ = passed.xmax - 1;
    std::ranges::sort(rest_, std::greater{});
}

void Sequence::pass()
{
    newest_ = std::max(newest_, rest_.back().xid);
    rest_.pop_back();
}

const Horizon &Sequence::passed()
{
    passed_ = without(rest_, newest_);
    return passed_;
}

Horizon Sequence::passed_after_next() const
{
    const std::span<const Place> all{rest_};
    return without(all.first(all.size() - 1), std::max(newest_, rest_.back().xid));
}

/// Transactions are mostly in the order of their ids, so that few lie below the newest that is dealt with and are not.
Horizon Sequence::without(std::span<const Place> rest, std::uint64_t newest) const
{
    if (rest.empty())
        return upto_;
    Horizon made;
    made.xmax = newest + 1;
    for (const auto &place : rest)
        if (place.xid < made.xmax)
            made.in_progress.push_back(place.xid);
    for (const auto xid : upto_.in_progress)
        if (xid < made.xmax)
            made.in_progress.push_back(xid);
    std::ranges::sort(made.in_progress);
    made.xmin = made.in_progress.empty() ? made.xmax : made.in_progress.front();
    return made;
}

} // namespace autosync::outbox
