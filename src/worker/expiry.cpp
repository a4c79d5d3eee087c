#include "worker/expiry.hpp"

#include <algorithm>
#include <iterator>

#include "config/settings.hpp"
#include "pg/spi.hpp"
#include "worker/progress.hpp"
#include "worker/runner.hpp"

namespace autosync::worker {

namespace {

std::chrono::milliseconds ttl_of(const Destination &destination, const Declared &declared)
{
    const auto *const access = destination.access_of(declared);
    return config::event_ttl(declared.sync.options, access == nullptr ? std::nullopt : access->event_ttl);
}

/// Nobody looks at each change that nobody got: one word for a piece of the log.
void tell(const std::string &target, std::int64_t count, const std::string &first)
{
    note_expired_count(target, count);
    if (config::settings.log_errors)
        pg::report(LOG, ERRCODE_FDW_ERROR, std::to_string(count) + (count == 1 ? " change" : " changes") + " for target \"" + target + "\" expired",
                   "Not delivered within event_ttl. Among them: " + first + ".",
                   "Rows that do not change again stay as the target has them; autosync.backfill() delivers them as they are.");
}

} // namespace

std::int64_t expiry_of(const Destination &destination, const Declared &declared)
{
    const auto ttl = ttl_of(destination, declared);
    return ttl.count() == 0 ? 0 : GetCurrentTimestamp() - std::chrono::microseconds{ttl}.count();
}

bool expires(const Destination &destination)
{
    const auto limited = [&](const auto &declared) { return ttl_of(destination, *declared).count() > 0; };
    return std::ranges::any_of(destination.syncs, limited) || (destination.words != nullptr && limited(destination.words));
}

void expire(const Destination &destination, Round &round)
{
    if (!expires(destination))
        return;
    std::map<Oid, std::int64_t> limits;
    const auto expired = [&](const Item &item) {
        const auto [limit, fresh] = limits.try_emplace(item.table, 0);
        if (fresh)
            if (const auto declared = destination.find(item.table); declared != nullptr)
                limit->second = expiry_of(destination, *declared);
        return item.captured_at != 0 && item.captured_at < limit->second && item.operation != "truncate";
    };
    const auto kept = std::stable_partition(round.items.begin(), round.items.end(), [&](const Item &item) { return !expired(item); });
    round.expired.insert(round.expired.end(), std::make_move_iterator(kept), std::make_move_iterator(round.items.end()));
    round.items.erase(kept, round.items.end());
}

std::set<Oid> note_expired(std::int64_t instance, const std::string &target, const Round &round)
{
    if (round.expired.empty())
        return {};
    std::vector<outbox::Expired> expired;
    expired.reserve(round.expired.size());
    for (const auto &item : round.expired) {
        auto &each = expired.emplace_back(outbox::Expired{item.table, item.wanted.key, item.event_id, item.operation, item.captured_at});
        if (item.told == nullptr)
            continue;
        each.payload = item.told->payload;
        each.correlation_id = item.told->correlation_id;
        each.origin = item.told->origin;
    }
    auto undecided = outbox::note_expired(instance, target, expired);
    const auto first = std::find_if(expired.begin(), expired.end(), [&](const auto &it) { return !undecided.contains(it.source); });
    if (first != expired.end()) {
        auto count = std::count_if(expired.begin(), expired.end(), [&](const auto &it) { return !undecided.contains(it.source); });
        if (round.history) // each is one
            count += std::count_if(round.expired_before.begin(), round.expired_before.end(), [&](const auto &it) { return !undecided.contains(it.table); });
        tell(target, count, "key " + first->key);
    }
    return undecided;
}

std::int64_t expire_marks(std::int64_t instance, const Destination &destination)
{
    std::int64_t count = 0;
    std::string first;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        const auto expire = [&](const Declared &declared) {
            const auto ttl = ttl_of(destination, declared);
            if (ttl.count() == 0)
                return;
            const auto keys = outbox::expire_marks(instance, destination.name, declared.sync.table, ttl);
            count += static_cast<std::int64_t>(keys.size());
            first = first.empty() && !keys.empty() ? keys.front() : first;
        };
        for (const auto &declared : destination.syncs)
            expire(*declared);
        if (destination.words != nullptr)
            expire(*destination.words);
    });
    if (count > 0)
        tell(destination.name, count, "key " + first);
    return count;
}

/// While the target takes nothing: nobody else reads the log for it.
void Runner::expire_held_up(TimePoint now)
{
    constexpr std::chrono::milliseconds pause{200};
    constexpr int share = 10; // of the time at most: others wait meanwhile
    const Destination *const to = destination();
    if (now < expire_at_ || to == nullptr || !expires(*to) || Catalog::stale())
        return;
    if (round_ && round_->kind == Round::Kind::log) {
        if (!round_->begun) {
            round_.reset(); // it is gathered again
        } else { // what has arrived of it must not count as expired
            expire(*to, *round_);
            if (!round_->items.empty())
                return;
            give_up(*round_);
            round_.reset();
        }
    }
    std::vector<outbox::Cursor> cursors;
    for (const auto &[table, cursor] : cursors_)
        cursors.push_back(cursor);
    for (const auto &cursor : cursors) {
        if (told_one_by_one(cursor.source, *to))
            expire_events(*to, cursor);
        else
            expire_from(*to, cursor);
    }
    if (std::any_of(to->syncs.begin(), to->syncs.end(), [&](const auto &it) { return ttl_of(*to, *it) != ttl_of(*to, *to->syncs.front()); }))
        expire_apart(*to);
    expire_at_ = now + std::max<TimePoint::duration>(pause, share * (std::chrono::steady_clock::now() - now));
}

void Runner::give_up(Round &round)
{
    settle_empty(desk_.instance, target_, round, carried_);
    has_exceptions_ = news_ = true;
    adopt_cursors(round);
}

/// As far as all that comes has expired.
void Runner::expire_from(const Destination &to, outbox::Cursor cursor)
{
    constexpr std::size_t piece = 10'000;
    for (;;) {
        Round round = gather_log(desk_.instance, to, cursor, cursors_, piece, nullptr, Extent::expired);
        const bool tells = round.lagging.contains(outbox::history_source); // the first event that is told by itself: it may have expired as well
        if (round.expired.empty() && !tells)
            return;
        give_up(round);
        cursor = round.after;
    }
}

/// The same of events that are told one by one.
void Runner::expire_events(const Destination &to, outbox::Cursor cursor)
{
    constexpr std::size_t piece = 1'000; // they carry rows
    for (;;) {
        Round round = gather_history(desk_.instance, to, cursor, cursors_, sequences_[cursor.source], piece, Extent::expired);
        if (round.expired.empty())
            return;
        give_up(round);
        cursor = round.after;
    }
}

/// Changes that do not expire, or later, do not keep those that do: their tables go on with a cursor of their own.
void Runner::expire_apart(const Destination &to)
{
    for (const auto &declared : to.syncs) {
        const Oid table = declared->sync.table;
        if (cursors_.contains(table) || ttl_of(to, *declared).count() == 0)
            continue;
        auto cursor = cursors_.at(InvalidOid);
        cursor.source = table;
        expire_from(to, std::move(cursor));
    }
}

} // namespace autosync::worker
