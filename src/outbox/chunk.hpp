// The packed form in which changed keys lie in the log: a chunk is one log row of at most about a page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace autosync::outbox {

enum class Operation : std::uint8_t {
    insert = 1,
    update = 2,
    remove = 3,
    truncate = 4 ///< no key: whatever the target holds from this table becomes suspect
};

/// What events carry beside their keys.
enum class Carries : std::uint8_t {
    keys = 0,    ///< nothing: the row is read when it is delivered
    rows = 1,    ///< the row as committed, for whoever looks at the events; it is read again when it is delivered
    history = 2, ///< likewise, and that is what is delivered: each event, in order
    words = 3    ///< what an application said, to be delivered likewise
};
/// Is every single event delivered, in order?
[[nodiscard]] constexpr bool is_history(Carries carries) noexcept { return carries >= Carries::history; }

/// What many events of a chunk share.
struct Topic {
    std::uint32_t table = 0;          ///< oid of the synced table
    std::vector<std::string> targets; ///< names
    std::string correlation_id;
    std::string origin;
    bool alone = false; ///< not written: while they are buffered its events are not united with those for other targets
    Carries carries = Carries::keys;

    friend bool operator==(const Topic &, const Topic &) = default;
};

struct Event {
    std::uint32_t topic = 0; ///< index into the chunk's topics
    Operation operation = Operation::update;
    bool rekeyed = false;               ///< the key was given up by a key change: its absence removes, whatever the operations say
    std::vector<std::string> key;       ///< canonical text per key column
    std::vector<std::uint16_t> changed; ///< attribute numbers that an update changed, ascending
    std::string payload{};              ///< JSON; empty: it carries none, or was too large
    bool unclear = false;               ///< how it stands to others of its entity in its transaction cannot be told
    std::uint32_t serial = 0;           ///< it was called so when it was noted: its id is made of that, not of its place; 0: of its place
};

/// An event as capture holds it: the key already packed (see pack_text), the changed attributes as a bitmap (bit n-1 = attribute n).
struct PackedEvent {
    Operation operation = Operation::update;
    bool rekeyed = false;
    std::uint8_t key_columns = 0;
    std::string_view key;
    std::string_view changed;
    std::string_view payload{};
    bool unclear = false;
    std::uint32_t serial = 0;
};

void pack_number(std::string &out, std::uint64_t number); ///< LEB128
void pack_text(std::string &out, std::string_view text);  ///< length, bytes
[[nodiscard]] std::string pack_topic(const Topic &topic);

/// Appends events until the chunk is full; then take() it and start anew. Kept from one transaction to the next: most write one small chunk.
class ChunkWriter final {
public:
    static constexpr std::size_t capacity = 7'900; ///< bytes: with row overhead it still fits a page uncompressed

    /// False when it does not fit any more (an event on its own always fits). `topic_id` names the packed topic among the caller's.
    [[nodiscard]] bool add(std::uint32_t topic_id, std::string_view topic, const PackedEvent &event);
    [[nodiscard]] bool empty() const noexcept { return events_ == 0; }
    /// The chunk, until the next call. captured_at: µs since 2000-01-01, as TimestampTz. seal: see Chunk.
    [[nodiscard]] const std::string &take(std::int64_t captured_at, std::uint64_t seal = 0);
    void clear() noexcept;

private:
    std::vector<std::uint32_t> topic_ids_;
    std::string topic_bytes_;
    std::string event_bytes_;
    std::string taken_;
    std::uint32_t events_ = 0;
};

struct Chunk {
    std::int64_t captured_at = 0;
    std::uint64_t seal = 0; ///< orders the transactions that changed one row: where the WAL ended before the last chunk was written; 0: not known yet
    std::vector<Topic> topics;
    std::vector<Event> events;
};

/// Throws std::runtime_error when the bytes are not a chunk.
[[nodiscard]] Chunk read_chunk(std::string_view bytes);
/// Its seal, without reading the rest.
[[nodiscard]] std::uint64_t seal_of(std::string_view bytes);

} // namespace autosync::outbox
