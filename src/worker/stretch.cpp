#include "worker/stretch.hpp"

#include <set>
#include <utility>

namespace autosync::worker {

void Stretch::note(const Round &round, const Flight &flight)
{
    constexpr std::size_t most = 50'000;
    constexpr std::size_t most_bytes = 4U << 20;
    if (round.kind != Round::Kind::log || round.history || OidIsValid(round.before.source))
        return;
    if (!round.after.upto) { // its last piece
        forget();
        return;
    }
    if (end_ != *round.after.upto) {
        forget();
        end_ = *round.after.upto;
    }
    std::set<std::pair<Oid, std::string>> doubtful; // an earlier state may be on its way yet
    for (const auto &doubt : flight.doubts)
        doubtful.emplace(doubt.source, doubt.key);
    for (const auto &done : flight.done) {
        if (entities_ >= most || bytes_ >= most_bytes)
            return;
        if (done.inserted || doubtful.contains({done.source, done.key}))
            continue;
        const auto [at, fresh] = arrived_[done.source].insert_or_assign(done.key, Arrival{done.version, done.version ? flight.sent_at : 0});
        if (fresh) {
            ++entities_;
            bytes_ += done.key.size();
        }
    }
}

const Stretch::Arrival *Stretch::find(const outbox::Horizon &end, Oid table, const std::string &key) const
{
    if (entities_ == 0 || end != end_)
        return nullptr;
    const auto of_table = arrived_.find(table);
    if (of_table == arrived_.end())
        return nullptr;
    const auto found = of_table->second.find(key);
    return found == of_table->second.end() ? nullptr : &found->second;
}

void Stretch::follow(const Destination &destination)
{
    std::erase_if(arrived_, [&destination](const auto &entry) {
        const auto declared = destination.find(entry.first);
        return declared == nullptr || !declared->as_before;
    });
}

void Stretch::forget()
{
    arrived_.clear();
    entities_ = bytes_ = 0;
}

} // namespace autosync::worker
