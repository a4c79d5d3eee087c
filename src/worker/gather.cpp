// What is there to do: the next stretch of the log, exceptions whose time has come, jobs.

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <unordered_map>

#include "outbox/chunk.hpp"
#include "outbox/log.hpp"
#include "mapping/identity.hpp"
#include "pg/spi.hpp"
#include "worker/expiry.hpp"
#include "worker/round.hpp"

namespace autosync::worker {

namespace {

using outbox::Operation;

std::string event_id(outbox::Position position, std::size_t ordinal)
{
    constexpr std::size_t size = 40;
    char text[size];
    (void) std::snprintf(text, size, "%016" PRIx64 "-%04x-%04zx", position.xid, static_cast<unsigned>(position.seq), ordinal);
    return text;
}

/// The one that noted it: an event id begins with it.
std::uint64_t transaction_of(const std::string &event)
{
    constexpr int hexadecimal = 16;
    return std::strtoull(event.c_str(), nullptr, hexadecimal);
}

const char *name_of(Operation operation)
{
    switch (operation) {
    case Operation::insert:
        return "insert";
    case Operation::update:
        return "update";
    case Operation::remove:
        return "delete";
    case Operation::truncate:
        return "truncate";
    }
    return "";
}

/// Collects a piece of the log, each entity once.
class Collector final {
public:
    Collector(const Destination &destination, const std::map<Oid, outbox::Cursor> &apart, Round &round)
        : destination_{destination}, apart_{apart}, round_{round}
    {
    }

    void take(outbox::Position position, const outbox::Chunk &chunk)
    {
        std::vector<const Declared *> by_topic;
        for (const auto &topic : chunk.topics)
            by_topic.push_back(concerned(topic));
        bool any = false;
        for (std::size_t i = 0; i < chunk.events.size(); ++i) {
            if (const Declared *const declared = by_topic[chunk.events[i].topic]; declared != nullptr) {
                note(*declared, chunk.events[i], position, i, chunk.captured_at);
                any = true;
            }
        }
        if (any)
            round_.captured.push_back(chunk.captured_at);
    }

    /// All that this chunk has for us has expired.
    [[nodiscard]] bool expired(const outbox::Chunk &chunk)
    {
        return std::all_of(chunk.topics.begin(), chunk.topics.end(), [&](const outbox::Topic &topic) {
            const Declared *const declared = concerned(topic);
            return declared == nullptr || chunk.captured_at < expiry_of(destination_, *declared);
        });
    }

    /// What has changed again, later than this piece, will arrive or expire with that change: it has not expired yet.
    void look_ahead(std::int64_t instance, std::optional<outbox::Position> last)
    {
        constexpr std::size_t most = 20'000; // events
        std::map<Oid, std::unordered_map<std::string, bool>> changed;
        std::size_t events = 0;
        const auto look = [&](outbox::Position, std::string_view bytes) {
            const auto chunk = outbox::read_chunk(bytes);
            for (const auto &event : chunk.events) {
                const Declared *const declared = concerned(chunk.topics[event.topic]);
                if (declared == nullptr || event.key.size() != declared->key_parts.size())
                    continue;
                ++events;
                changed[declared->sync.table][mapping::key_text(declared->key_parts, event.key)] = true;
            }
            return events < most;
        };
        if (outbox::scan(instance, round_.before.passed, *round_.before.upto, last, look))
            outbox::scan(instance, *round_.before.upto, outbox::current_horizon(), std::nullopt, look);
        const auto again = std::stable_partition(round_.expired.begin(), round_.expired.end(),
                                                 [&](const Item &item) { return !changed[item.table].contains(item.wanted.key); });
        round_.items.insert(round_.items.end(), std::make_move_iterator(again), std::make_move_iterator(round_.expired.end()));
        round_.expired.erase(again, round_.expired.end());
    }

private:
    /// The sync that a topic's events are for; null: not for us.
    const Declared *concerned(const outbox::Topic &topic)
    {
        if (std::find(topic.targets.begin(), topic.targets.end(), destination_.name) == topic.targets.end())
            return nullptr;
        const Oid table = topic.table;
        if (round_.before.source == InvalidOid ? apart_.contains(table) : round_.before.source != table)
            return nullptr;
        if (round_.lagging.contains(table))
            return nullptr;
        const auto declared = destination_.find(table);
        if (declared == nullptr) {
            if (just_declared(table)) {
                round_.lagging[table] = "the sync was declared a moment ago";
                Catalog::invalidate();
            } else {
                round_.passed_over = true;
            }
            return nullptr;
        }
        if (!declared->problem.empty()) {
            round_.lagging[table] = declared->problem;
            return nullptr;
        }
        return declared.get();
    }

    /// Commits become visible before their invalidations arrive: an event may stem from a sync that the catalog does not know yet.
    bool just_declared(Oid table)
    {
        const auto [known, fresh] = unknown_.try_emplace(table, false);
        if (fresh)
            known->second = config::load_sync(table, destination_.name).has_value();
        return known->second;
    }

    void note(const Declared &declared, const outbox::Event &event, outbox::Position position, std::size_t ordinal, std::int64_t captured_at)
    {
        const Oid table = declared.sync.table;
        if (event.operation == Operation::truncate) {
            if (std::find(round_.truncated.begin(), round_.truncated.end(), table) == round_.truncated.end())
                round_.truncated.push_back(table);
            return;
        }
        if (event.rekeyed)
            note_dependents(table);
        if (event.key.size() != declared.key_parts.size()) {
            round_.passed_over = true; // noted under another key: declaring the new one has looked at everything again
            return;
        }
        Item item;
        item.table = table;
        item.wanted = {mapping::key_text(declared.key_parts, event.key), event.key};
        const auto [known, fresh] = index_[table].try_emplace(item.wanted.key, round_.items.size());
        if (!fresh) {
            auto &before = round_.items[known->second];
            before.rekeyed = before.rekeyed || event.rekeyed;
            before.operation = name_of(event.operation);
            if (captured_at > before.captured_at) {
                before.event_id = event_id(position, ordinal);
                before.captured_at = captured_at;
            }
            return;
        }
        item.event_id = event_id(position, ordinal);
        item.operation = name_of(event.operation);
        item.captured_at = captured_at;
        item.rekeyed = event.rekeyed;
        round_.items.push_back(std::move(item));
    }

    /// Rows that refer to this table's key change by themselves; those that refer to other columns of it do not.
    void note_dependents(Oid parent)
    {
        for (const auto &child : destination_.syncs) {
            const auto &links = child->sync.links;
            const bool joined = std::any_of(links.begin(), links.end(), [parent](const auto &link) { return !link.from_columns && link.parent == parent; });
            if (joined)
                round_.dependents.emplace(child->sync.table, parent);
        }
    }

    const Destination &destination_;
    const std::map<Oid, outbox::Cursor> &apart_;
    Round &round_;
    std::map<Oid, bool> unknown_; ///< tables without a sync we know: whether there is one by now
    std::map<Oid, std::unordered_map<std::string, std::size_t>> index_;
};

} // namespace

Round gather_log(std::int64_t instance, const Destination &destination, const outbox::Cursor &cursor, const std::map<Oid, outbox::Cursor> &apart,
                 std::size_t limit, Extent extent)
{
    Round round;
    round.before = cursor;
    round.after = cursor;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        if (!round.before.upto)
            round.before.upto = outbox::current_horizon();
        Collector collector{destination, apart, round};
        std::optional<outbox::Position> last = cursor.position;
        bool fresh = false; // there is something that has not expired
        const bool read = outbox::scan(instance, cursor.passed, *round.before.upto, cursor.position, [&](outbox::Position at, std::string_view bytes) {
            const auto chunk = outbox::read_chunk(bytes);
            fresh = extent == Extent::expired && !collector.expired(chunk);
            if (fresh)
                return false;
            collector.take(at, chunk);
            last = at;
            return round.items.size() < limit;
        });
        const bool complete = read && !fresh;
        expire(destination, round);
        if (!round.expired.empty())
            collector.look_ahead(instance, last);
        if (extent == Extent::expired)
            round.items.clear(); // they have changed again
        round.after = round.before;
        round.after.position = last;
        if (complete) {
            round.after.passed = *round.before.upto;
            round.after.upto.reset();
            round.after.position.reset();
            round.caught_up = !cursor.upto; // else the stretch was an old one
        }
    });
    return round;
}

Round gather_due(std::int64_t instance, const Destination &destination, const std::map<Oid, outbox::Cursor> &cursors, std::size_t limit)
{
    Round round;
    round.kind = Round::Kind::due;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        for (auto &due : outbox::take_due(instance, destination.name, limit)) {
            const auto declared = destination.find(due.source);
            if (declared == nullptr || !declared->problem.empty()) {
                constexpr std::chrono::seconds later{30}; // its sync is in trouble as a whole
                outbox::postpone(instance, destination.name, due.source, later);
                continue;
            }
            if (due.verb == "unpublish") {
                const auto apart = cursors.find(due.source);
                const auto &cursor = apart == cursors.end() ? cursors.at(InvalidOid) : apart->second;
                if (!cursor.passed.sees(transaction_of(due.event_id))) {
                    if (apart != cursors.end())
                        outbox::postpone(instance, destination.name, due.source, std::chrono::seconds{1});
                    continue;
                }
            }
            Item item;
            item.table = due.source;
            std::vector<std::string> names;
            for (const auto &part : declared->key_parts)
                names.push_back(part.name);
            try {
                item.wanted = {due.key, mapping::read_key(due.key, names)};
            } catch (const std::invalid_argument &) { // of a key that was declared before: all rows have been looked at since
                outbox::clear_exceptions(instance, destination.name, {{due.source, due.key, due.event_id, 0}});
                continue;
            }
            item.event_id = due.event_id;
            item.operation = due.operation;
            item.verb = due.verb;
            item.attempts = due.attempts;
            item.rekeyed = due.operation == "delete";
            round.items.push_back(std::move(item));
        }
    });
    return round;
}

std::vector<Job> load_jobs(std::int64_t instance, const std::string &target)
{
    std::vector<Job> jobs;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        // What the target holds goes before what it is to hold.
        for (const auto &row : pg::execute("SELECT source, kind, coalesce(where_clause, ''), coalesce(\"position\", ''), options, requested_at, started_at"
                                           " FROM autosync.jobs WHERE instance = $1::int8 AND target = $2::name"
                                           " ORDER BY array_position('{purge,sweep,rebuild,backfill}', kind), requested_at, source"
                                           " FOR UPDATE SKIP LOCKED", // those being asked for anew begin when that has committed
                                           {std::to_string(instance), target})) {
            jobs.push_back({static_cast<Oid>(std::stoul(row[0].value_or("0"))), row[1].value_or(""), row[2].value_or(""), row[3].value_or(""),
                            row[4].value_or("{}"), row[5].value_or(""), row[6].has_value()});
        }
    });
    return jobs;
}

} // namespace autosync::worker
