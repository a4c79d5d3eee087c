#include "capture/buffer.hpp"

#include <algorithm>
#include <functional>

namespace autosync::capture {

using outbox::Operation;

namespace {

/// What two changes of one key amount to.
Operation net(Operation before, Operation now)
{
    if (before == Operation::insert && now == Operation::update)
        return Operation::insert;
    if (before == Operation::remove && now == Operation::insert)
        return Operation::update;
    return now;
}

bool contains(const std::vector<std::string> &names, std::string_view name) { return std::find(names.begin(), names.end(), name) != names.end(); }

} // namespace

Buffer::TopicId Buffer::intern(const outbox::Topic &topic)
{
    const auto known = std::find_if(topics_.begin(), topics_.end(), [&topic](const Known &it) { return it.topic == topic; });
    if (known != topics_.end())
        return static_cast<TopicId>(known - topics_.begin());
    topics_.push_back({topic, outbox::pack_topic(topic)});
    return static_cast<TopicId>(topics_.size() - 1);
}

Buffer::Index Buffer::add(int level, TopicId topic, const outbox::PackedEvent &event)
{
    if (frames_.empty() || frames_.back().level < level)
        frames_.push_back({level, entries_.size()});
    const std::uint32_t hash = hash_of(topic, event.key);
    const std::size_t known = find(topic, event.key, hash);
    if (known < entries_.size()) {
        unite(entries_[known], event);
        if (entries_[known].topic != topic) {
            const auto targets = this->topic(topic).targets; // a copy: mark() may move the topics
            for (const auto &target : targets)
                mark(static_cast<Index>(known), target);
        }
        return static_cast<Index>(known);
    }
    append(topic, event, hash);
    remember(entries_.size() - 1);
    return static_cast<Index>(entries_.size() - 1);
}

Buffer::Entry &Buffer::append(TopicId topic, const outbox::PackedEvent &event, std::uint32_t hash)
{
    Entry entry{};
    entry.topic = topic;
    entry.key_size = static_cast<std::uint32_t>(event.key.size());
    entry.offset = arena_.size();
    entry.hash = hash;
    entry.changed_size = static_cast<std::uint16_t>(event.changed.size());
    entry.key_columns = event.key_columns;
    entry.operation = event.operation;
    entry.rekeyed = event.rekeyed;
    arena_.append(event.key);
    arena_.append(event.changed);
    return entries_.emplace_back(entry);
}

void Buffer::mark(Index index, std::string_view target)
{
    if (index >= entries_.size())
        return;
    const auto &current = topic(entries_[index].topic);
    if (contains(current.targets, target))
        return;
    outbox::Topic wider = current;
    wider.targets.insert(std::upper_bound(wider.targets.begin(), wider.targets.end(), target), std::string{target});
    entries_[index].topic = intern(wider);
}

void Buffer::commit_level(int level)
{
    while (!frames_.empty() && frames_.back().level >= level) {
        if (frames_.size() > 1 && frames_[frames_.size() - 2].level >= level - 1) {
            frames_.pop_back();
        } else {
            frames_.back().level = level - 1;
            return;
        }
    }
}

void Buffer::abort_level(int level)
{
    while (!frames_.empty() && frames_.back().level >= level) {
        const std::size_t first = frames_.back().first_entry;
        frames_.pop_back();
        shrink(first, first < entries_.size() ? entries_[first].offset : arena_.size());
    }
}

void Buffer::clear()
{
    constexpr std::size_t keep_topics = 16;
    constexpr std::size_t keep_slots = 1U << 10;
    constexpr std::size_t keep_bytes = 1U << 20;
    ++generation_;
    if (topics_.size() > keep_topics) {
        ++epoch_;
        topics_.clear();
    }
    frames_.clear();
    entries_.clear();
    arena_.clear();
    if (slots_.size() > keep_slots || arena_.capacity() > keep_bytes) {
        // One large transaction must not make all later ones clear its memory, nor hold it for ever.
        slots_ = {};
        entries_ = {};
        arena_ = {};
    } else if (used_slots_ > 0) {
        std::fill(slots_.begin(), slots_.end(), vacant);
    }
    used_slots_ = 0;
}

std::size_t Buffer::tail_bytes() const noexcept
{
    if (frames_.empty() || frames_.back().first_entry >= entries_.size())
        return 0;
    const std::size_t first = frames_.back().first_entry;
    return arena_.size() - entries_[first].offset + (entries_.size() - first) * sizeof(Entry);
}

outbox::PackedEvent Buffer::packed(const Entry &entry) const
{
    const std::string_view arena{arena_};
    const std::size_t behind = entry.offset + entry.key_size + entry.changed_size;
    outbox::PackedEvent event{entry.operation, entry.rekeyed, entry.key_columns, arena.substr(entry.offset, entry.key_size),
                              arena.substr(entry.offset + entry.key_size, entry.changed_size)};
    if (entry.row) {
        const auto part = row_part(entry);
        event.payload = arena.substr(behind + sizeof(RowPart), part.payload_size);
        event.serial = part.serial;
        event.unclear = entry.unclear;
    }
    return event;
}

/// Events of one table and session context collapse by key, whichever targets they go to.
std::size_t Buffer::find(TopicId topic, std::string_view key, std::uint32_t hash) const
{
    if (slots_.empty())
        return entries_.size();
    const std::size_t mask = slots_.size() - 1;
    const std::size_t first = frames_.back().first_entry;
    for (std::size_t at = hash & mask; slots_[at] != vacant; at = (at + 1) & mask) {
        const std::size_t index = slots_[at];
        if (index < first || index >= entries_.size()) // an outer level's, or forgotten
            continue;
        const Entry &entry = entries_[index];
        if (entry.hash != hash || std::string_view{arena_}.substr(entry.offset, entry.key_size) != key)
            continue;
        const auto &theirs = this->topic(entry.topic);
        const auto &ours = this->topic(topic);
        if (entry.topic == topic || (!theirs.alone && !ours.alone && !entry.row && theirs.table == ours.table && theirs.correlation_id == ours.correlation_id && theirs.origin == ours.origin))
            return index;
    }
    return entries_.size();
}

std::uint32_t Buffer::hash_of(TopicId topic, std::string_view key) const
{
    const std::size_t hash = std::hash<std::string_view>{}(key) ^ (this->topic(topic).table * std::size_t{0x9e3779b97f4a7c15});
    return static_cast<std::uint32_t>(hash ^ hash >> 32U);
}

void Buffer::remember(std::size_t index)
{
    if ((used_slots_ + 1) * 4 > slots_.size() * 3) {
        rehash();
        return; // entries_ holds it already
    }
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = entries_[index].hash & mask;
    while (slots_[at] != vacant)
        at = (at + 1) & mask;
    slots_[at] = static_cast<std::uint32_t>(index);
    ++used_slots_;
}

void Buffer::rehash()
{
    constexpr std::size_t least = 64;
    std::size_t size = least;
    while (size < entries_.size() * 2)
        size *= 2;
    slots_.assign(size, vacant);
    const std::size_t mask = size - 1;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        std::size_t at = entries_[i].hash & mask;
        while (slots_[at] != vacant)
            at = (at + 1) & mask;
        slots_[at] = static_cast<std::uint32_t>(i);
    }
    used_slots_ = entries_.size();
}

void Buffer::shrink(std::size_t entries, std::size_t arena)
{
    if (entries < entries_.size())
        ++generation_;
    entries_.resize(entries);
    arena_.resize(arena);
    if (entries_.empty() && used_slots_ > 0) {
        std::fill(slots_.begin(), slots_.end(), vacant);
        used_slots_ = 0;
    }
}

void Buffer::unite(Entry &entry, const outbox::PackedEvent &event)
{
    entry.operation = net(entry.operation, event.operation);
    entry.rekeyed = entry.rekeyed || event.rekeyed;
    const std::size_t common = std::min<std::size_t>(entry.changed_size, event.changed.size());
    for (std::size_t i = 0; i < common; ++i) {
        char &byte = arena_[entry.offset + entry.key_size + i];
        byte = static_cast<char>(static_cast<unsigned char>(byte) | static_cast<unsigned char>(event.changed[i]));
    }
}

} // namespace autosync::capture
