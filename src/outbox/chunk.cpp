#include "outbox/chunk.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace autosync::outbox {

namespace {

constexpr char plain_format = 1;
constexpr char sealed_format = 2; // the same with a seal behind the time
constexpr std::size_t header_reserve = 40; // version, time, seal, counts
constexpr unsigned carries_shift = 32;     // what a topic's events carry lies above the table's oid
constexpr std::size_t max_number = 10;     // bytes of a packed number

// The first byte of an event.
constexpr unsigned operation_bits = 0x07;
constexpr unsigned rekeyed_bit = 0x08;
constexpr unsigned changed_bit = 0x10;
constexpr unsigned payload_bit = 0x20;
constexpr unsigned unclear_bit = 0x40;
constexpr unsigned serial_bit = 0x80;

inline char *put_number(char *to, std::uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        *to++ = static_cast<char>(static_cast<std::uint8_t>(number) | 0x80U);
    *to++ = static_cast<char>(number);
    return to;
}

/// Eight bytes, the lowest first.
inline char *put_whole(char *to, std::uint64_t value)
{
    for (unsigned i = 0; i < sizeof(value); ++i)
        *to++ = static_cast<char>(value >> (8 * i) & 0xffU);
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
    /// Eight bytes, the lowest first.
    std::uint64_t whole()
    {
        std::uint64_t value = 0;
        const auto raw = take(sizeof(value));
        for (unsigned i = 0; i < sizeof(value); ++i)
            value |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(raw[i])) << (8 * i);
        return value;
    }
    [[nodiscard]] bool done() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

Topic read_topic(Unpacker &in)
{
    Topic topic;
    const auto table = in.number();
    topic.table = static_cast<std::uint32_t>(table);
    if (table >> carries_shift > static_cast<std::uint64_t>(Carries::words))
        throw std::runtime_error{"outbox chunk is damaged: unknown kind of events"};
    topic.carries = static_cast<Carries>(table >> carries_shift);
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
    if ((head & payload_bit) != 0)
        event.payload = in.text();
    event.unclear = (head & unclear_bit) != 0;
    if ((head & serial_bit) != 0)
        event.serial = static_cast<std::uint32_t>(in.number());
    return event;
}

/// What a chunk begins with.
Chunk read_head(Unpacker &in)
{
    const char version = in.take(1).front();
    if (version != plain_format && version != sealed_format)
        throw std::runtime_error{"outbox chunk has an unknown format version"};
    Chunk chunk;
    chunk.captured_at = static_cast<std::int64_t>(in.whole());
    chunk.seal = version == sealed_format ? in.whole() : 0;
    return chunk;
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
    pack_number(out, topic.table | static_cast<std::uint64_t>(topic.carries) << carries_shift);
    pack_number(out, topic.targets.size());
    for (const auto &target : topic.targets)
        pack_text(out, target);
    pack_text(out, topic.correlation_id);
    pack_text(out, topic.origin);
    return out;
}

bool ChunkWriter::add(std::uint32_t topic_id, std::string_view topic, const PackedEvent &event)
{
    const std::size_t needed = event.key.size() + event.changed.size() + event.payload.size() + 16 + (event.serial == 0 ? 0 : max_number);
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
    *end++ = static_cast<char>(static_cast<unsigned>(event.operation) | (event.rekeyed ? rekeyed_bit : 0U) | (update ? changed_bit : 0U) |
                               (event.payload.empty() ? 0U : payload_bit) | (event.unclear ? unclear_bit : 0U) | (event.serial == 0 ? 0U : serial_bit));
    end = put_number(end, index);
    end = put_number(end, event.key_columns);
    event_bytes_.append(head.data(), static_cast<std::size_t>(end - head.data()));
    event_bytes_.append(event.key);
    if (update)
        pack_text(event_bytes_, event.changed);
    if (!event.payload.empty())
        pack_text(event_bytes_, event.payload);
    if (event.serial != 0)
        pack_number(event_bytes_, event.serial);
    ++events_;
    return true;
}

const std::string &ChunkWriter::take(std::int64_t captured_at, std::uint64_t seal)
{
    std::array<char, 17 + max_number> head{seal == 0 ? plain_format : sealed_format};
    char *at = put_whole(head.data() + 1, static_cast<std::uint64_t>(captured_at));
    if (seal != 0)
        at = put_whole(at, seal);
    const char *const end = put_number(at, topic_ids_.size());
    if (taken_.capacity() > 8 * capacity) // one huge key or row must not hold memory for ever
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
    Chunk chunk = read_head(in);
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

std::uint64_t seal_of(std::string_view bytes)
{
    Unpacker in{bytes};
    return read_head(in).seal;
}

} // namespace autosync::outbox
