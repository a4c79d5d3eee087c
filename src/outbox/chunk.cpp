#include "outbox/chunk.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace autosync::outbox {

namespace {

constexpr char format_version = 1;
constexpr std::size_t header_reserve = 32; // version, time, counts
constexpr std::size_t max_number = 10;     // bytes of a packed number

// The first byte of an event.
constexpr unsigned operation_bits = 0x07;
constexpr unsigned rekeyed_bit = 0x08;
constexpr unsigned changed_bit = 0x10;

inline char *put_number(char *to, std::uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        *to++ = static_cast<char>(static_cast<std::uint8_t>(number) | 0x80U);
    *to++ = static_cast<char>(number);
    return to;
}

/// Reads packed values; throws when the bytes end early.
class Unpacker {
public:
    explicit Unpacker(std::string_view bytes) : rest_{bytes} {}

    std::uint64_t number()
    {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto byte = static_cast<std::uint8_t>(take(1).front());
            value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
            if ((byte & 0x80U) == 0)
                return value;
        }
        throw std::runtime_error{"outbox chunk is damaged: number too long"};
    }
    std::string_view take(std::uint64_t size)
    {
        if (size > rest_.size())
            throw std::runtime_error{"outbox chunk is damaged: it ends early"};
        const auto part = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return part;
    }
    std::string text() { return std::string{take(number())}; }
    /// A count of things of at least one byte each: bounded by what is left.
    std::size_t count()
    {
        const auto value = number();
        if (value > rest_.size())
            throw std::runtime_error{"outbox chunk is damaged: impossible count"};
        return value;
    }
    [[nodiscard]] bool done() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

Topic read_topic(Unpacker &in)
{
    Topic topic;
    topic.table = static_cast<std::uint32_t>(in.number());
    const auto targets = in.count();
    for (std::size_t i = 0; i < targets; ++i)
        topic.targets.push_back(in.text());
    topic.correlation_id = in.text();
    topic.origin = in.text();
    return topic;
}

Event read_event(Unpacker &in, std::size_t topics)
{
    Event event;
    const auto head = static_cast<unsigned>(static_cast<std::uint8_t>(in.take(1).front()));
    const auto operation = head & operation_bits;
    if (operation < static_cast<unsigned>(Operation::insert) || operation > static_cast<unsigned>(Operation::truncate))
        throw std::runtime_error{"outbox chunk is damaged: unknown operation"};
    event.operation = static_cast<Operation>(operation);
    event.rekeyed = (head & rekeyed_bit) != 0;
    event.topic = static_cast<std::uint32_t>(in.number());
    if (event.topic >= topics)
        throw std::runtime_error{"outbox chunk is damaged: unknown topic"};
    const auto columns = in.count();
    event.key.reserve(columns);
    for (std::size_t i = 0; i < columns; ++i)
        event.key.push_back(in.text());
    if ((head & changed_bit) != 0) {
        const auto bitmap = in.take(in.number());
        for (std::size_t i = 0; i < bitmap.size() * 8; ++i) {
            if ((static_cast<unsigned>(static_cast<std::uint8_t>(bitmap[i / 8])) >> (i % 8) & 1U) != 0)
                event.changed.push_back(static_cast<std::uint16_t>(i + 1));
        }
    }
    return event;
}

} // namespace

void pack_number(std::string &out, std::uint64_t number)
{
    std::array<char, max_number> bytes;
    out.append(bytes.data(), static_cast<std::size_t>(put_number(bytes.data(), number) - bytes.data()));
}

void pack_text(std::string &out, std::string_view text)
{
    pack_number(out, text.size());
    out.append(text);
}

std::string pack_topic(const Topic &topic)
{
    std::string out;
    pack_number(out, topic.table);
    pack_number(out, topic.targets.size());
    for (const auto &target : topic.targets)
        pack_text(out, target);
    pack_text(out, topic.correlation_id);
    pack_text(out, topic.origin);
    return out;
}

bool ChunkWriter::add(std::uint32_t topic_id, std::string_view topic, const PackedEvent &event)
{
    const std::size_t needed = event.key.size() + event.changed.size() + 16;
    const std::size_t topics_before = topic_bytes_.size();
    const auto at = std::find(topic_ids_.rbegin(), topic_ids_.rend(), topic_id);
    const bool known = at != topic_ids_.rend();
    if (!known)
        topic_bytes_.append(topic);
    if (events_ > 0 && header_reserve + topic_bytes_.size() + event_bytes_.size() + needed > capacity) {
        topic_bytes_.resize(topics_before);
        return false;
    }
    const std::size_t index = known ? static_cast<std::size_t>(topic_ids_.rend() - at) - 1 : topic_ids_.size();
    if (!known)
        topic_ids_.push_back(topic_id);
    const bool update = event.operation == Operation::update && !event.changed.empty();
    std::array<char, 1 + 2 * max_number> head;
    char *end = head.data();
    *end++ = static_cast<char>(static_cast<unsigned>(event.operation) | (event.rekeyed ? rekeyed_bit : 0U) | (update ? changed_bit : 0U));
    end = put_number(end, index);
    end = put_number(end, event.key_columns);
    event_bytes_.append(head.data(), static_cast<std::size_t>(end - head.data()));
    event_bytes_.append(event.key);
    if (update)
        pack_text(event_bytes_, event.changed);
    ++events_;
    return true;
}

const std::string &ChunkWriter::take(std::int64_t captured_at)
{
    std::array<char, 9 + max_number> head{format_version};
    for (unsigned i = 0; i < 8; ++i)
        head[i + 1] = static_cast<char>(static_cast<std::uint64_t>(captured_at) >> (8 * i) & 0xffU);
    const char *const end = put_number(head.data() + 9, topic_ids_.size());
    if (taken_.capacity() > 8 * capacity) // one huge key must not hold memory for ever
        taken_ = {};
    taken_.assign(head.data(), static_cast<std::size_t>(end - head.data()));
    taken_ += topic_bytes_;
    pack_number(taken_, events_);
    taken_ += event_bytes_;
    clear();
    return taken_;
}

void ChunkWriter::clear() noexcept
{
    topic_ids_.clear();
    topic_bytes_.clear();
    event_bytes_.clear();
    events_ = 0;
    if (event_bytes_.capacity() > 8 * capacity)
        event_bytes_ = {};
}

Chunk read_chunk(std::string_view bytes)
{
    Unpacker in{bytes};
    if (in.take(1).front() != format_version)
        throw std::runtime_error{"outbox chunk has an unknown format version"};
    Chunk chunk;
    std::uint64_t time = 0;
    const auto raw = in.take(8);
    for (unsigned i = 0; i < 8; ++i)
        time |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(raw[i])) << (8 * i);
    chunk.captured_at = static_cast<std::int64_t>(time);
    const auto topics = in.count();
    chunk.topics.reserve(topics);
    for (std::size_t i = 0; i < topics; ++i)
        chunk.topics.push_back(read_topic(in));
    const auto events = in.count();
    chunk.events.reserve(events);
    for (std::size_t i = 0; i < events; ++i)
        chunk.events.push_back(read_event(in, topics));
    if (!in.done())
        throw std::runtime_error{"outbox chunk is damaged: bytes left over"};
    return chunk;
}

} // namespace autosync::outbox
