#include "fuzz.hpp"
#include "outbox/chunk.hpp"

namespace autosync::fuzz {

using namespace outbox;

static PackedEvent packed(const Event &event, std::string &key, std::string &changed)
{
    key.clear();
    changed.clear();
    for (const auto &column : event.key)
        pack_text(key, column);
    for (const auto attribute : event.changed) {
        if (changed.size() < (attribute + 7U) / 8U)
            changed.resize((attribute + 7U) / 8U, '\0');
        changed[(attribute - 1U) / 8U] = static_cast<char>(static_cast<unsigned char>(changed[(attribute - 1U) / 8U]) | 1U << ((attribute - 1U) % 8U));
    }
    return {event.operation, event.rekeyed, static_cast<std::uint8_t>(event.key.size()), key, changed, event.payload, event.unclear, event.serial};
}

/// Any bytes: refused, or events that are the same when they are packed again.
FUZZ(chunks)
{
    Chunk chunk;
    if (!accepts<std::runtime_error>([&] { chunk = read_chunk(bytes); }))
        return;
    std::vector<std::string> topics;
    for (const auto &topic : chunk.topics)
        topics.push_back(pack_topic(topic));
    ChunkWriter writer;
    std::size_t at = 0;
    std::string key;
    std::string changed;
    const auto compare = [&](std::size_t end) {
        const auto again = read_chunk(writer.take(chunk.captured_at));
        holds(again.captured_at == chunk.captured_at);
        for (const auto &event : again.events) {
            const auto &first = chunk.events.at(at++);
            holds(event.operation == first.operation && event.rekeyed == first.rekeyed && event.key == first.key);
            holds(event.payload == first.payload && event.unclear == first.unclear && event.serial == first.serial);
            holds(event.changed == (first.operation == Operation::update ? first.changed : std::vector<std::uint16_t>{}));
            holds(again.topics.at(event.topic) == chunk.topics.at(first.topic));
        }
        holds(at == end);
    };
    for (std::size_t i = 0; i < chunk.events.size(); ++i) {
        const auto &event = chunk.events[i];
        if (event.key.size() > 32 || event.changed.size() > 1'600) // no table has so many
            return;
        const auto item = packed(event, key, changed);
        if (!writer.add(event.topic, topics[event.topic], item)) {
            compare(i);
            holds(writer.add(event.topic, topics[event.topic], item));
        }
    }
    if (!writer.empty())
        compare(chunk.events.size());
}

} // namespace autosync::fuzz
