// What is there to do: the next stretch of the log, exceptions whose time has come, jobs.

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "pg/spi.hpp"
#include "worker/collector.hpp"
#include "worker/news.hpp"
#include "worker/round.hpp"

namespace autosync::worker {

namespace {

/// The one that noted it: an event id begins with it.
std::uint64_t transaction_of(const std::string &event)
{
    constexpr int hexadecimal = 16;
    return std::strtoull(event.c_str(), nullptr, hexadecimal);
}

} // namespace

Round gather_log(std::int64_t instance, const Destination &destination, const outbox::Cursor &cursor, const std::map<Oid, outbox::Cursor> &apart,
                 std::size_t limit, const Stretch *stretch, Extent extent)
{
    constexpr std::size_t most_events = 10; // per entity: one that changes all the time must not fill the memory
    constexpr std::size_t most_bytes = 32U << 20;
    Round round;
    round.before = cursor;
    round.after = cursor;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        if (!round.before.upto)
            round.before.upto = outbox::current_horizon();
        Collector collector{destination, apart, stretch, round};
        std::optional<outbox::Position> last = cursor.position;
        bool fresh = false; // there is something that has not expired
        const bool read = outbox::scan(instance, cursor.passed, *round.before.upto, cursor.position, [&](outbox::Position at, std::string_view bytes) {
            const auto chunk = outbox::read_chunk(bytes);
            fresh = extent == Extent::expired && !collector.expired(chunk);
            if (fresh)
                return false;
            collector.take(at, chunk);
            last = at;
            return round.items.size() < limit && collector.events() < limit * most_events && collector.bytes() < most_bytes;
        });
        const bool complete = read && !fresh;
        expire(destination, round);
        if (!round.expired.empty())
            collector.look_ahead(instance, last);
        if (extent == Extent::expired) { // they have changed again: their entities will arrive, these events do not
            std::ranges::move(round.items, std::back_inserter(round.expired_before));
            round.items.clear();
        }
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
            if (declared == nullptr || !declared->obstacle().empty()) {
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
            if (due.operation == "truncate")
                names.clear();
            try {
                item.wanted = due.operation == outbox::word_operation ? Wanted{due.key, {due.key}} : Wanted{due.key, mapping::read_key(due.key, names)};
            } catch (const std::invalid_argument &) { // of a key that was declared before: all rows have been looked at since
                outbox::clear_exceptions(instance, destination.name, {{due.source, due.key, due.event_id, 0}});
                continue;
            }
            item.event_id = due.event_id;
            item.operation = due.operation;
            item.verb = due.verb;
            item.attempts = due.attempts;
            item.rekeyed = due.operation == "delete";
            if (declared->history) {
                item.told = std::make_shared<const Told>(Told{due.payload, due.correlation_id, due.origin, false});
                item.captured_at = due.captured_at;
                round.history = true;
            }
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
        for (const auto &row : pg::execute("SELECT source, kind, coalesce(where_clause, ''), coalesce(\"position\", ''), options, requested_at, started_at, xmin"
                                           " FROM autosync.jobs WHERE instance = $1::int8 AND target = $2::name"
                                           " ORDER BY array_position('{purge,sweep,rebuild,backfill}', kind), requested_at, source"
                                           " FOR UPDATE SKIP LOCKED", // those being asked for anew begin when that has committed
                                           {std::to_string(instance), target})) {
            if (heard_of(static_cast<TransactionId>(std::stoul(row[7].value_or("0"))))) // it may have declared what the job is to go by
                jobs.push_back({static_cast<Oid>(std::stoul(row[0].value_or("0"))), row[1].value_or(""), row[2].value_or(""), row[3].value_or(""),
                                row[4].value_or("{}"), row[5].value_or(""), row[6].has_value()});
        }
    });
    return jobs;
}

} // namespace autosync::worker
