// Cursors beside a target's main one: of tables that lag behind, and of events that are told one by one.

#include <algorithm>

#include "pg/spi.hpp"
#include "worker/runner.hpp"

namespace autosync::worker {

bool Runner::told_one_by_one(Oid source, const Destination &to) const
{
    if (source == outbox::history_source)
        return true;
    const auto declared = to.find(source);
    return declared != nullptr && declared->history;
}

/// Tables that lag behind: once they have nothing left, they follow the main cursor again. What that has not passed of them is then
/// delivered twice at most, never missed.
Runner::Step Runner::catch_up_apart(const Destination &to, TimePoint now)
{
    if (has_exceptions_ && cursors_.contains(outbox::history_source)) // what held an event may have been discarded meanwhile
        pg::transaction([this] {
            const pg::ActiveSnapshot snapshot;
            news_ = outbox::let_on(desk_.instance, target_) || news_;
        });
    std::vector<Oid> line; // whoever comes behind the last one, then the others
    for (const auto &[table, cursor] : cursors_) {
        const auto declared = to.find(table);
        if (table == InvalidOid || now < apart_retries_[table].at || (declared != nullptr && !declared->held.empty()))
            continue;
        line.push_back(table);
    }
    std::rotate(line.begin(), std::upper_bound(line.begin(), line.end(), last_apart_), line.end());
    for (const Oid table : line) {
        const auto &cursor = cursors_.at(table);
        last_apart_ = table;
        const auto declared = to.find(table);
        const auto turn = lanes_.turn(declared == nullptr ? std::string{} : declared->lane, any_access()->batch_size, now);
        if (turn.entities == 0) {
            apart_retries_[table].at = now + turn.wait;
            continue;
        }
        // What one flight can take: a round that is not finished is gathered again.
        const auto limit = std::min(round_limit(), turn.entities);
        Round round = told_one_by_one(table, to) ? gather_history(desk_.instance, to, cursor, cursors_, sequences_[table], limit)
                                                 : gather_log(desk_.instance, to, cursor, cursors_, limit);
        const bool nothing = round.items.empty() && round.behind.empty() && round.expired.empty() && round.truncated.empty() && round.lagging.empty();
        if (table == outbox::history_source && nothing && !round.passed_over) {
            cursors_.at(table) = round.after; // in memory only, and it stays
            if (!round.caught_up)
                return Step::again;
            continue;
        }
        if (nothing && round.caught_up) {
            pg::transaction([&] {
                const pg::ActiveSnapshot snapshot;
                outbox::drop_cursor(desk_.instance, cursor);
                // It may have passed this table's changes in memory only; whoever waits for them looks at the records.
                outbox::save_cursor(desk_.instance, cursors_.at(InvalidOid));
                if (const auto history = cursors_.find(outbox::history_source); history != cursors_.end())
                    outbox::save_cursor(desk_.instance, history->second);
            });
            apart_retries_.erase(table);
            cursors_.erase(table);
            return Step::again;
        }
        return begin(std::move(round));
    }
    return Step::nothing;
}

} // namespace autosync::worker
