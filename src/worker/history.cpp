// The next events that are told one by one: transactions in the order in which they changed rows.

#include <algorithm>
#include <ranges>
#include <set>

#include "pg/spi.hpp"
#include "worker/collector.hpp"
#include "worker/expiry.hpp"

namespace autosync::worker {

namespace {

constexpr std::size_t most_bytes = 16U << 20; // of rows at once

class Historian final {
public:
    Historian(const Destination &destination, const std::map<Oid, outbox::Cursor> &apart, Round &round)
        : destination_{destination}, apart_{apart}, round_{round}
    {
    }

    void take(outbox::Position position, std::string_view bytes)
    {
        const auto chunk = outbox::read_chunk(bytes);
        std::vector<const Declared *> by_topic;
        for (const auto &topic : chunk.topics)
            by_topic.push_back(concerned(topic));
        for (std::size_t i = 0; i < chunk.events.size(); ++i)
            if (const Declared *const declared = by_topic[chunk.events[i].topic]; declared != nullptr)
                note(*declared, chunk, i, position);
        if (std::ranges::any_of(by_topic, [](const auto *declared) { return declared != nullptr; }))
            round_.captured.push_back(chunk.captured_at);
    }
    [[nodiscard]] bool full(std::size_t limit) const { return round_.items.size() >= limit || bytes_ >= most_bytes; }

    /// All that a chunk has for us has expired.
    [[nodiscard]] bool expired(std::string_view bytes)
    {
        const auto chunk = outbox::read_chunk(bytes);
        const auto kept = [&](const outbox::Event &event) {
            const Declared *const declared = concerned(chunk.topics[event.topic]);
            return declared != nullptr && (event.operation == Operation::truncate || chunk.captured_at >= expiry_of(destination_, *declared));
        };
        return std::ranges::none_of(chunk.events, kept);
    }

private:
    const Declared *concerned(const outbox::Topic &topic)
    {
        const Oid table = topic.table;
        if (!outbox::is_history(topic.carries) || std::ranges::find(topic.targets, destination_.name) == topic.targets.end() || round_.lagging.contains(table) ||
            (round_.before.source == outbox::history_source ? apart_.contains(table) : round_.before.source != table))
            return nullptr;
        auto declared = destination_.find(table);
        if (declared == nullptr && just_declared(unknown_, table, destination_.name)) {
            round_.lagging[table] = "the sync was declared a moment ago";
            Catalog::invalidate();
            return nullptr;
        }
        if (topic.carries == outbox::Carries::words && (declared == nullptr || !declared->history))
            declared = destination_.words; // whatever has become of the table
        if (declared == nullptr || !declared->history) { // the sync is gone, or is told of states by now
            round_.passed_over = true;
            return nullptr;
        }
        if (!declared->problem.empty()) {
            round_.lagging[table] = declared->problem;
            return nullptr;
        }
        return declared.get();
    }

    void note(const Declared &declared, const outbox::Chunk &chunk, std::size_t ordinal, outbox::Position position)
    {
        const auto &event = chunk.events[ordinal];
        const auto &topic = chunk.topics[event.topic];
        const bool of_all = event.operation == Operation::truncate;
        const bool word = topic.carries == outbox::Carries::words;
        const bool of_row = word && declared.sync.table != outbox::words_source; // named as its row is
        if (!of_all && !of_row && event.key.size() != declared.key_parts.size()) { // of another key than the sync has by now
            round_.passed_over = true;
            return;
        }
        Item item;
        item.table = declared.sync.table;
        if (of_row)
            item.wanted = {event.key.back(), {event.key.back()}};
        else if (!of_all)
            item.wanted = {mapping::key_text(declared.key_parts, event.key), event.key};
        item.event_id = outbox::event_id(position.xid, static_cast<std::uint32_t>(position.seq), static_cast<std::uint32_t>(ordinal), event.serial);
        item.operation = operation_of(topic, event);
        item.captured_at = chunk.captured_at;
        item.rekeyed = event.rekeyed;
        item.told = std::make_shared<const Told>(Told{event.payload, topic.correlation_id, topic.origin, event.unclear});
        if (keeping_)
            item.events.push_back(ended_of(chunk, event, item.event_id));
        bytes_ += 2 * event.payload.size();
        round_.items.push_back(std::move(item));
    }

    const bool keeping_ = outbox::keeps_history();
    std::size_t bytes_ = 0;
    const Destination &destination_;
    const std::map<Oid, outbox::Cursor> &apart_;
    Round &round_;
    std::map<Oid, bool> unknown_;
};

/// All of one transaction, or what lies behind `after`.
bool scan_one(std::int64_t instance, std::uint64_t xid, std::optional<outbox::Position> after, const std::function<bool(outbox::Position, std::string_view)> &visit)
{
    return outbox::scan(instance, {xid, xid, {}}, {xid + 1, xid + 1, {}}, after, visit);
}

/// What lies between the cursor and now.
void look(std::int64_t instance, const outbox::Cursor &cursor, outbox::Sequence &sequence)
{
    const auto upto = outbox::current_horizon();
    std::vector<outbox::Sequence::Place> places;
    outbox::scan(instance, cursor.passed, upto, std::nullopt, [&](outbox::Position at, std::string_view bytes) {
        const auto seal = outbox::seal_of(bytes);
        if (!places.empty() && places.back().xid == at.xid)
            places.back().seal = std::max(places.back().seal, seal);
        else if (seal != 0)
            places.push_back({seal, at.xid});
        return true;
    });
    sequence.begin(cursor.passed, upto, std::move(places));
}

/// What comes behind an event that was refused waits for it.
void hold(std::int64_t instance, const std::string &target, Round &round)
{
    std::set<std::pair<Oid, std::string>> entities;
    for (const auto &item : round.items)
        entities.emplace(item.table, item.wanted.key);
    const auto held = outbox::held_among(instance, target, entities);
    if (held.empty())
        return;
    std::deque<Item> free;
    for (auto &item : round.items) {
        if (held.contains({item.table, item.wanted.key}))
            round.behind.push_back(behind(item));
        else
            free.push_back(std::move(item));
    }
    round.items = std::move(free);
}

/// What has expired; of an entity the last of it stands for all in the exceptions.
void expire_events(const Destination &destination, Round &round)
{
    expire(destination, round);
    std::set<std::pair<Oid, std::string>> newer;
    std::vector<Item> last;
    for (auto &item : std::views::reverse(round.expired)) {
        const bool stands = newer.emplace(item.table, item.wanted.key).second;
        (stands ? last : round.expired_before).push_back(std::move(item));
    }
    round.expired = std::move(last);
}

} // namespace

outbox::Behind behind(const Item &item)
{
    return {item.table, item.wanted.key, item.event_id, item.operation, item.told->payload, item.told->correlation_id, item.told->origin, item.captured_at};
}

Round gather_history(std::int64_t instance, const Destination &destination, const outbox::Cursor &cursor, const std::map<Oid, outbox::Cursor> &apart,
                     outbox::Sequence &sequence, std::size_t limit, Extent extent)
{
    Round round;
    round.history = true;
    round.before = cursor;
    round.after = cursor;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        Historian historian{destination, apart, round};
        std::optional<outbox::Position> last = cursor.position;
        bool fresh = false; // there is something that has not expired
        const auto visit = [&](outbox::Position at, std::string_view bytes) {
            fresh = extent == Extent::expired && !historian.expired(bytes);
            if (fresh)
                return false;
            historian.take(at, bytes);
            last = at;
            return !historian.full(limit);
        };
        if (cursor.upto && cursor.position) { // in the midst of a transaction
            if (scan_one(instance, cursor.position->xid, cursor.position, visit)) {
                round.after.passed = *cursor.upto;
                round.after.upto.reset();
                round.after.position.reset();
            } else {
                round.after.position = last;
            }
            hold(instance, destination.name, round);
            expire_events(destination, round);
            return;
        }
        if (!sequence.stands_at(cursor.passed))
            look(instance, cursor, sequence);
        bool whole = true;
        while (whole && !sequence.empty() && !historian.full(limit)) {
            last.reset();
            whole = scan_one(instance, sequence.next().xid, std::nullopt, visit);
            if (whole)
                sequence.pass();
        }
        round.after.passed = sequence.passed();
        if (!whole && last) {
            round.after.upto = sequence.passed_after_next();
            round.after.position = last;
            sequence.pass();
            (void) sequence.passed();
        }
        round.caught_up = sequence.empty() && whole;
        hold(instance, destination.name, round);
        expire_events(destination, round);
    });
    return round;
}

} // namespace autosync::worker
