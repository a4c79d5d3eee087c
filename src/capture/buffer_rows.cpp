// Events that carry their rows: each of them counts, so what matters is how they follow one another.

#include <cstring>
#include <utility>

#include "capture/buffer.hpp"

namespace autosync::capture {

void Buffer::append_row(int level, TopicId topic, const outbox::PackedEvent &event, const Lineage &lineage)
{
    if (frames_.empty() || frames_.back().level < level)
        frames_.push_back({level, entries_.size()});
    append(topic, event, hash_of(topic, event.key)).row = true;
    const RowPart part{lineage, event.payload.size(), event.serial};
    arena_.append(reinterpret_cast<const char *>(&part), sizeof(part));
    arena_.append(event.payload);
}

Buffer::Index Buffer::add_row(int level, TopicId topic, const outbox::PackedEvent &event, const Lineage &lineage)
{
    append_row(level, topic, event, lineage);
    remember(entries_.size() - 1);
    return settle_in(entries_.size() - 1);
}

/// Nobody looks for it by its key.
void Buffer::add_word(int level, TopicId topic, const outbox::PackedEvent &event) { append_row(level, topic, event, {}); }

Buffer::RowPart Buffer::row_part(const Entry &entry) const
{
    RowPart part;
    std::memcpy(&part, arena_.data() + entry.offset + entry.key_size + entry.changed_size, sizeof(part));
    return part;
}

/// The nearest event before this one that is of the same key and carries its row, in the innermost level; entries_.size(): none.
std::size_t Buffer::row_before(std::size_t place) const
{
    std::size_t latest = entries_.size();
    const Entry &own = entries_[place];
    const std::string_view key = std::string_view{arena_}.substr(own.offset, own.key_size);
    const auto &ours = topic(own.topic);
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = own.hash & mask; slots_[at] != vacant; at = (at + 1) & mask) {
        const std::size_t index = slots_[at];
        if (index < frames_.back().first_entry || index >= place || (latest < entries_.size() && index < latest))
            continue;
        const Entry &entry = entries_[index];
        if (!entry.row || entry.hash != own.hash || std::string_view{arena_}.substr(entry.offset, entry.key_size) != key)
            continue;
        if (const auto &theirs = topic(entry.topic); theirs.table == ours.table && theirs.carries == ours.carries)
            latest = index;
    }
    return latest;
}

/// The entry that was just added moves before those that came about after it; where it stands then.
Buffer::Index Buffer::settle_in(std::size_t place)
{
    for (std::size_t previous = row_before(place); previous < entries_.size(); previous = row_before(place)) {
        Entry &now = entries_[place];
        Entry &before = entries_[previous];
        const auto ours = row_part(now).lineage;
        const auto theirs = row_part(before).lineage;
        const bool gone = before.operation == outbox::Operation::remove;
        const bool follows = gone ? now.operation == outbox::Operation::insert : ours.before == theirs.after;
        if (ours.command >= theirs.command && follows)
            break;
        // One statement may give a key away and take it anew, row by row in whatever order: it was there before it was given away.
        const bool given_away = ours.command == theirs.command && now.operation == outbox::Operation::remove && !gone;
        if (!given_away)
            now.unclear = before.unclear = true;
        if (ours.command >= theirs.command && !given_away)
            break;
        std::swap(now, before);
        ++generation_; // what was known to stand in either place does no more
        place = previous;
    }
    return static_cast<Index>(place);
}

} // namespace autosync::capture
