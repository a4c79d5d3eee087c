// Reading marked entities again: lock the tables, take one snapshot, read each table with its owner's rights.

#include <algorithm>
#include <exception>
#include <iterator>
#include <set>

#include "outbox/forgotten.hpp"
#include "pg/spi.hpp"
#include "pg/wal.hpp"
#include "worker/round.hpp"

namespace autosync::worker {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t byte_budget = 32U << 20;
constexpr std::chrono::milliseconds longest_read{60'000};

/// A table rewritten between the snapshot and its opening would look empty: so first the lock, at once or not at all, then the snapshot.
bool lock_table(const config::Sync &sync)
{
    const Oid table = sync.table;
    const bool partitioned = sync.partitioned;
    return pg::call([table, partitioned] {
        if (!ConditionalLockRelationOid(table, AccessShareLock) || !SearchSysCacheExists1(RELOID, ObjectIdGetDatum(table)))
            return false;
        if (!partitioned)
            return true;
        ListCell *cell = nullptr;
        foreach (cell, find_all_inheritors(table, NoLock, nullptr)) {
            if (!ConditionalLockRelationOid(lfirst_oid(cell), AccessShareLock))
                return false;
        }
        return true;
    });
}

constexpr const char *locked = "another session holds a lock on the table";

class Fetch final {
public:
    Fetch(const Destination &destination, Round &round, Flight &flight, Lanes &lanes) : destination_{destination}, round_{round}, flight_{flight}, lanes_{lanes} {}

    void items(std::size_t limit)
    {
        choose(limit);
        lock();
        if (flight_.outdated)
            return;
        const pg::ActiveSnapshot snapshot;
        std::size_t budget = byte_budget;
        for (auto &[table, chosen] : chosen_) {
            if (flight_.troubled.contains(table))
                continue;
            if (budget == 0)
                give_back(chosen, 0);
            else
                read(table, chosen, budget);
        }
    }

    void backfill(std::size_t limit)
    {
        const auto declared = destination_.find(round_.job.table);
        if (declared == nullptr)
            return;
        if (in_trouble(*declared))
            return;
        const auto turn = turn_of(*declared, declared->lane);
        if (turn.entities == 0) {
            pace(*declared, turn.wait);
            return;
        }
        enter(flight_, *declared, destination_, lanes_);
        limit = std::min(limit, turn.entities);
        chosen_[round_.job.table];
        lock();
        if (flight_.outdated || !flight_.troubled.empty())
            return;
        const pg::ActiveSnapshot snapshot;
        const auto began = Clock::now();
        try {
            auto piece = reader_of(*declared, flight_.target).read_after(round_.job.position, round_.job.where_clause, limit, byte_budget);
            const auto forgotten = forgotten_among(round_.job.table, piece.keys);
            for (std::size_t i = 0; i < piece.rows.size(); ++i) {
                if (forgotten.contains(piece.keys[i]))
                    continue;
                Item item;
                item.table = round_.job.table;
                item.wanted.key = piece.keys[i];
                item.operation = "backfill";
                add(declared, std::move(item), std::move(piece.rows[i]));
            }
            round_.position = piece.position;
            round_.finished = piece.finished;
            round_.done = static_cast<std::int64_t>(piece.rows.size());
        } catch (const SyncTrouble &trouble) {
            stop(round_.job.table, trouble, began);
        }
    }

private:
    [[nodiscard]] bool in_trouble(const Declared &declared)
    {
        auto problem = declared.obstacle().empty() ? declared.budget.problem() : declared.obstacle();
        if (problem.empty())
            return false;
        flight_.troubled[declared.sync.table] = std::move(problem);
        return true;
    }

    void pace(const Declared &declared, std::chrono::milliseconds wait)
    {
        const Oid table = declared.sync.table;
        flight_.troubled[table] = "it waits for the rate_limit of its " + std::string{declared.sync.options.contains("lane") ? "lane" : "sync"};
        flight_.pause[table] = wait;
        flight_.paced.insert(table);
    }

    [[nodiscard]] Lanes::Turn turn_of(const Declared &declared, const std::string &lane)
    {
        return lanes_.turn(lane, destination_.access.at(declared.sync.owner).batch_size, Clock::now());
    }

    /// The next items, of tables that are delivered with the same credentials and are in the same lane.
    void choose(std::size_t limit)
    {
        Oid owner = InvalidOid;
        std::size_t count = 0;
        std::vector<Item> rest;
        while (!round_.items.empty() && count < limit) {
            Item item = std::move(round_.items.front());
            round_.items.pop_front();
            const auto declared = destination_.find(item.table);
            if (declared == nullptr)
                continue; // the sync was dropped meanwhile
            if (flight_.paced.contains(item.table) || in_trouble(*declared))
                continue;
            if (item.wanted.columns.size() != declared->key_parts.size())
                continue; // marked under another key: declaring the new one has looked at everything again
            if (owner == InvalidOid) {
                // A table that lags behind comes with what its lane may send; whatever is left of that goes on credit.
                const bool begun = round_.begun && round_.before.source == item.table;
                const auto turn = turn_of(*declared, begun ? std::string{} : declared->lane);
                if (turn.entities == 0) {
                    pace(*declared, turn.wait);
                    continue;
                }
                owner = declared->sync.owner;
                enter(flight_, *declared, destination_, lanes_);
                limit = std::min(limit, turn.entities);
            }
            if (declared->sync.owner != owner || declared->lane != flight_.lane) {
                rest.push_back(std::move(item));
                continue;
            }
            ++count;
            chosen_[item.table].push_back(std::move(item));
        }
        round_.items.insert(round_.items.begin(), std::make_move_iterator(rest.begin()), std::make_move_iterator(rest.end()));
    }

    void lock()
    {
        for (const auto &[table, chosen] : chosen_) {
            const auto declared = destination_.find(table);
            if (!lock_table(declared->sync))
                flight_.troubled[table] = locked;
        }
        // Locks have let us hear of all that was committed before: reading by an older declaration would be wrong.
        flight_.outdated = Catalog::stale();
    }

    /// Others wait while a table is read: one that takes long to fail has its next turn the later.
    void stop(Oid table, const SyncTrouble &trouble, Clock::time_point began)
    {
        constexpr int share = 10;
        flight_.troubled[table] = trouble.what();
        flight_.pause[table] = std::chrono::duration_cast<std::chrono::milliseconds>(share * (Clock::now() - began));
    }

    void give_back(std::vector<Item> &chosen, std::size_t from)
    {
        for (std::size_t i = from; i < chosen.size(); ++i)
            round_.items.push_back(std::move(chosen[i]));
    }

    void read(Oid table, std::vector<Item> &chosen, std::size_t &budget)
    {
        const auto declared = destination_.find(table);
        std::vector<Wanted> wanted;
        wanted.reserve(chosen.size());
        for (const auto &item : chosen)
            wanted.push_back(item.wanted);
        const auto began = Clock::now();
        try {
            std::size_t done = 0;
            auto rows = reader_of(*declared, flight_.target).read_keys(wanted, budget, &done);
            std::vector<std::string> keys;
            if (destination_.forgotten.contains(table))
                std::transform(chosen.begin(), chosen.end(), std::back_inserter(keys), [](const Item &item) { return item.wanted.key; });
            const auto forgotten = forgotten_among(table, keys);
            for (std::size_t i = 0; i < done; ++i) {
                const bool gone = forgotten.contains(chosen[i].wanted.key);
                add(declared, std::move(chosen[i]), std::move(rows[i]), gone);
            }
            if (done < chosen.size())
                budget = 0; // spent: the rest of all tables is read with the next snapshot
            give_back(chosen, done);
        } catch (const SyncTrouble &trouble) {
            stop(table, trouble, began);
        }
    }

    [[nodiscard]] std::set<std::string> forgotten_among(Oid table, const std::vector<std::string> &keys) const
    {
        return keys.empty() || !destination_.forgotten.contains(table) ? std::set<std::string>{} : outbox::forgotten_among(destination_.name, table, keys);
    }

    /// `gone`: it was forgotten, so whatever the table says it is not at the target.
    void add(const std::shared_ptr<Declared> &declared, Item item, ReadRow row, bool gone = false)
    {
        if ((gone || item.verb == "unpublish") && !row.unnamed) {
            row.change.removed = true;
            row.change.row.clear();
            row.change.links.clear();
            row.problem.clear();
        } else if (!row.problem.empty()) {
            flight_.refusals.push_back(refusal(item, std::move(row.problem)));
            return;
        } else if (nothing_to_send(*declared, item, row, round_.kind == Round::Kind::sweep)) {
            if (round_.kind != Round::Kind::sweep) // there is the row, but whether the target has its newest state is not known
                note_done(flight_, item, false, {});
            return;
        }
        board(flight_, declared, std::move(item), std::move(row));
    }

    const Destination &destination_;
    Round &round_;
    Flight &flight_;
    Lanes &lanes_;
    std::map<Oid, std::vector<Item>> chosen_;
};

} // namespace

Reader &reader_of(Declared &declared, const config::Target &target)
{
    if (declared.reader == nullptr)
        declared.reader = std::make_unique<Reader>(declared.sync);
    declared.reader->time_limit(std::min(longest_read, target.limits.request_timeout));
    return *declared.reader;
}

std::unique_ptr<Flight> read_flight(const Destination &destination, Round &round, std::size_t limit, Lanes &lanes)
{
    auto flight = std::make_unique<Flight>();
    pg::transaction(
        [&] {
            Fetch fetch{destination, round, *flight, lanes};
            if (round.kind == Round::Kind::backfill)
                fetch.backfill(limit);
            else
                fetch.items(limit);
        },
        true);
    if (!flight->changes.empty())
        flight->place = pg::flush_wal();
    return flight;
}

} // namespace autosync::worker
