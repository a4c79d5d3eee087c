// From chunks of the log to the entities that they name.
#pragma once

#include <algorithm>
#include <iterator>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "mapping/identity.hpp"
#include "outbox/chunk.hpp"
#include "outbox/event_id.hpp"
#include "outbox/history.hpp"
#include "outbox/log.hpp"
#include "outbox/word.hpp"
#include "worker/expiry.hpp"
#include "worker/round.hpp"
#include "worker/stretch.hpp"

namespace autosync::worker {

using outbox::Operation;

inline const char *name_of(Operation operation)
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

/// What happened, as event_log names it.
inline const char *operation_of(const outbox::Topic &topic, const outbox::Event &event)
{
    return topic.carries == outbox::Carries::words ? outbox::word_operation : name_of(event.operation);
}

/// An event for the history.
inline outbox::Ended ended_of(const outbox::Chunk &chunk, const outbox::Event &event, const std::string &id)
{
    const auto &topic = chunk.topics[event.topic];
    outbox::Ended kept;
    kept.source = topic.table;
    kept.event_id = id;
    kept.operation = operation_of(topic, event);
    kept.correlation_id = topic.correlation_id;
    kept.origin = topic.origin;
    kept.created_at = chunk.captured_at;
    kept.payload = event.payload;
    for (const unsigned number : event.changed) {
        kept.changed.resize(std::max<std::size_t>(kept.changed.size(), (number + 7) / 8));
        auto &byte = kept.changed[(number - 1) / 8];
        byte = static_cast<char>(static_cast<unsigned char>(byte) | 1U << (number - 1) % 8);
    }
    return kept;
}

/// The sync of the catalog, or one that it does not know yet: commits become visible before their invalidations arrive.
inline bool just_declared(std::map<Oid, bool> &unknown, Oid table, const std::string &target)
{
    const auto [known, fresh] = unknown.try_emplace(table, false);
    if (fresh)
        known->second = config::load_sync(table, target).has_value();
    return known->second;
}

/// Collects a piece of the log, each entity once.
class Collector final {
public:
    Collector(const Destination &destination, const std::map<Oid, outbox::Cursor> &apart, const Stretch *stretch, Round &round)
        : destination_{destination}, apart_{apart}, stretch_{stretch}, round_{round}
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
                note(*declared, chunk, i, position);
                any = true;
            }
        }
        if (any)
            round_.captured.push_back(chunk.captured_at);
    }

    [[nodiscard]] std::size_t events() const noexcept { return events_; }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; } ///< of what they carry, as far as it is kept

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
        std::map<Oid, std::unordered_set<std::string>> changed;
        std::size_t events = 0;
        const auto look = [&](outbox::Position, std::string_view bytes) {
            const auto chunk = outbox::read_chunk(bytes);
            for (const auto &event : chunk.events) {
                const Declared *const declared = concerned(chunk.topics[event.topic]);
                if (declared == nullptr || event.key.size() != declared->key_parts.size())
                    continue;
                ++events;
                changed[declared->sync.table].insert(mapping::key_text(declared->key_parts, event.key));
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
        if (outbox::is_history(topic.carries)) {
            meet_history(topic);
            return nullptr;
        }
        if (round_.before.source == InvalidOid ? apart_.contains(table) : round_.before.source != table)
            return nullptr;
        if (round_.lagging.contains(table))
            return nullptr;
        const auto declared = destination_.find(table);
        if (declared == nullptr) {
            if (just_declared(unknown_, table, destination_.name)) {
                round_.lagging[table] = "the sync was declared a moment ago";
                Catalog::invalidate();
            } else {
                round_.passed_over = true;
            }
            return nullptr;
        }
        if (!declared->obstacle().empty()) {
            round_.lagging[table] = declared->obstacle();
            return nullptr;
        }
        if (declared->history) { // it was told of states when this was captured
            round_.passed_over = true;
            return nullptr;
        }
        return declared.get();
    }

    /// Events that are told one by one have a cursor of their own, from the first of them on.
    void meet_history(const outbox::Topic &topic)
    {
        const Oid table = topic.table;
        if (OidIsValid(round_.before.source) || apart_.contains(outbox::history_source) || apart_.contains(table) || round_.lagging.contains(outbox::history_source))
            return;
        const auto declared = destination_.find(table);
        const bool told = topic.carries == outbox::Carries::words && destination_.words != nullptr; // whatever has become of the table
        if (!told && (declared != nullptr ? !declared->history : !just_declared(unknown_, table, destination_.name)))
            return;
        round_.lagging[outbox::history_source] = "events are told one by one";
        if (!told && declared == nullptr)
            Catalog::invalidate();
    }

    void note(const Declared &declared, const outbox::Chunk &chunk, std::size_t ordinal, outbox::Position position)
    {
        const Oid table = declared.sync.table;
        const auto &event = chunk.events[ordinal];
        const auto captured_at = chunk.captured_at;
        const auto id = outbox::event_id(position.xid, static_cast<std::uint32_t>(position.seq), static_cast<std::uint32_t>(ordinal));
        ++events_;
        if (event.operation == Operation::truncate) {
            if (std::find(round_.truncated.begin(), round_.truncated.end(), table) == round_.truncated.end())
                round_.truncated.push_back(table);
            keep(round_.truncations, chunk, event, id);
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
        if (const auto *const arrival = arrival_of(event, table, item.wanted.key); arrival != nullptr) {
            end(*arrival, chunk, event, id, std::move(item.wanted.key));
            return;
        }
        const auto [known, fresh] = index_[table].try_emplace(item.wanted.key, round_.items.size());
        if (!fresh) {
            auto &before = round_.items[known->second];
            before.rekeyed = before.rekeyed || event.rekeyed;
            before.operation = name_of(event.operation);
            keep(before.events, chunk, event, id);
            if (captured_at > before.captured_at) {
                before.event_id = id;
                before.captured_at = captured_at;
            }
            return;
        }
        item.event_id = id;
        item.operation = name_of(event.operation);
        item.captured_at = captured_at;
        item.rekeyed = event.rekeyed;
        keep(item.events, chunk, event, id);
        round_.items.push_back(std::move(item));
    }

    /// How the target has got what this event says; null: it may not have. That a key was left, or taken, is told again: whether it is there decides.
    [[nodiscard]] const Stretch::Arrival *arrival_of(const outbox::Event &event, Oid table, const std::string &key) const
    {
        if (stretch_ == nullptr || event.rekeyed || event.operation != Operation::update)
            return nullptr;
        return stretch_->find(*round_.before.upto, table, key);
    }

    void end(const Stretch::Arrival &arrival, const outbox::Chunk &chunk, const outbox::Event &event, const std::string &id, std::string key)
    {
        round_.passed_over = true;
        keep(round_.over, chunk, event, id);
        if (!keeping_)
            return;
        auto &over = round_.over.back();
        over.key = std::move(key);
        over.version = arrival.version;
        over.published_at = arrival.sent_at;
        over.completed_at = GetCurrentTimestamp();
    }

    /// For the history.
    void keep(std::vector<outbox::Ended> &events, const outbox::Chunk &chunk, const outbox::Event &event, const std::string &id)
    {
        if (!keeping_)
            return;
        events.push_back(ended_of(chunk, event, id));
        bytes_ += event.payload.size();
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

    const bool keeping_ = outbox::keeps_history();
    std::size_t events_ = 0;
    std::size_t bytes_ = 0;
    const Destination &destination_;
    const std::map<Oid, outbox::Cursor> &apart_;
    const Stretch *stretch_;
    Round &round_;
    std::map<Oid, bool> unknown_; ///< tables without a sync we know: whether there is one by now
    std::map<Oid, std::unordered_map<std::string, std::size_t>> index_;
};

} // namespace autosync::worker
