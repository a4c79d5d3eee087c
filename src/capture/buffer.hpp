// The changes of the current transaction, until it commits: collapsing as it goes, aware of subtransactions.
// Knows nothing of PostgreSQL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "outbox/chunk.hpp"

namespace autosync::capture {

class Buffer final {
public:
    using TopicId = std::uint32_t;
    using Index = std::uint32_t;

    /// The topic's number within this transaction; equal topics get the same.
    [[nodiscard]] TopicId intern(const outbox::Topic &topic);
    [[nodiscard]] const outbox::Topic &topic(TopicId id) const { return topics_[id].topic; }

    /// Notes a change made at this nesting level of transactions. A key that the same level has noted already is noted once:
    /// targets and changed attributes are united, the operation becomes the net one.
    Index add(int level, TopicId topic, const outbox::PackedEvent &event);
    /// Where an event that is delivered as it is stands among the others of its key: command, and the row versions it lies between (0: none).
    struct Lineage {
        std::uint32_t command = 0;
        std::uint64_t before = 0;
        std::uint64_t after = 0;
    };
    /// Notes an event that carries its row: never united with another. Nested triggers may tell of a later change first: the events of one
    /// key are brought into the order of commands, and those that do not follow from one another are marked as unclear.
    Index add_row(int level, TopicId topic, const outbox::PackedEvent &event, const Lineage &lineage);
    /// Notes an event that is no row's: it comes where it was told.
    void add_word(int level, TopicId topic, const outbox::PackedEvent &event);
    /// Another target wants the event too.
    void mark(Index index, std::string_view target);

    void commit_level(int level); ///< a subtransaction ended: what it noted is its parent's
    void abort_level(int level);  ///< a subtransaction was rolled back: what it noted is forgotten
    void clear();

    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return arena_.size() + entries_.size() * sizeof(Entry); }
    [[nodiscard]] std::size_t tail_bytes() const noexcept; ///< of the innermost level that noted something
    /// Counts what made a TopicId invalid: it outlives the transaction, until there are too many.
    [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
    /// Counts what made an Index invalid: entries were written, rolled back or forgotten.
    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

    /// Packs all entries (or only the innermost level's) into chunks, hands each to `write(const std::string &bytes)`, and forgets them.
    template <typename Write>
    void drain(bool tail_only, std::int64_t captured_at, Write &&write, std::uint64_t seal = 0)
    {
        const std::size_t first = tail_only && !frames_.empty() ? frames_.back().first_entry : 0;
        writer_.clear(); // an error may have left something
        pack(writer_, first, captured_at, seal, write);
        shrink(first, first < entries_.size() ? entries_[first].offset : arena_.size());
    }

    /// The same chunks of all entries, which stay.
    template <typename Write>
    void copy(std::int64_t captured_at, Write &&write) const
    {
        outbox::ChunkWriter writer;
        pack(writer, 0, captured_at, 0, write);
    }

private:
    struct Entry {
        TopicId topic;
        std::uint32_t key_size;
        std::size_t offset; ///< into the arena: key bytes, then the bitmap of changed attributes
        std::uint32_t hash;
        std::uint16_t changed_size;
        std::uint8_t key_columns;
        outbox::Operation operation : 4;
        bool rekeyed : 1;
        bool row : 1;     ///< behind the bitmap lies a RowPart, then the payload
        bool unclear : 1; ///< of a row
    };
    struct RowPart {
        Lineage lineage;
        std::size_t payload_size;
        std::uint32_t serial;
    };
    struct Known {
        outbox::Topic topic;
        std::string packed;
    };
    struct Frame {
        int level;
        std::size_t first_entry;
    };

    template <typename Write>
    void pack(outbox::ChunkWriter &writer, std::size_t first, std::int64_t captured_at, std::uint64_t seal, Write &&write) const
    {
        for (std::size_t i = first; i < entries_.size(); ++i) {
            const Entry &entry = entries_[i];
            if (!writer.add(entry.topic, topics_[entry.topic].packed, packed(entry))) {
                write(writer.take(captured_at, seal));
                (void) writer.add(entry.topic, topics_[entry.topic].packed, packed(entry));
            }
        }
        if (!writer.empty())
            write(writer.take(captured_at, seal));
    }
    [[nodiscard]] outbox::PackedEvent packed(const Entry &entry) const;
    [[nodiscard]] std::size_t find(TopicId topic, std::string_view key, std::uint32_t hash) const;
    [[nodiscard]] std::size_t row_before(std::size_t place) const;
    [[nodiscard]] RowPart row_part(const Entry &entry) const;
    Entry &append(TopicId topic, const outbox::PackedEvent &event, std::uint32_t hash);
    void append_row(int level, TopicId topic, const outbox::PackedEvent &event, const Lineage &lineage);
    Index settle_in(std::size_t place);
    [[nodiscard]] std::uint32_t hash_of(TopicId topic, std::string_view key) const;
    void remember(std::size_t index);
    void rehash();
    void shrink(std::size_t entries, std::size_t arena);
    void unite(Entry &entry, const outbox::PackedEvent &event);

    static constexpr std::uint32_t vacant = ~std::uint32_t{0};

    outbox::ChunkWriter writer_;
    std::vector<Known> topics_; ///< also of earlier transactions: they are often the same
    std::vector<Entry> entries_;
    std::vector<Frame> frames_;
    std::vector<std::uint32_t> slots_; ///< open addressing: indexes into entries_, some stale
    std::size_t used_slots_ = 0;
    std::string arena_;
    std::uint64_t epoch_ = 1;
    std::uint64_t generation_ = 1;
};

} // namespace autosync::capture
