#include "capture/row_version.hpp"

#include "capture/attend.hpp"
#include "capture/transaction.hpp"
#include "config/settings.hpp"
#include "outbox/rewrites.hpp"
#include "pg/bridge.hpp"

namespace autosync::capture {

using config::settings;
using outbox::Operation;

namespace {

constexpr std::size_t kilobyte = 1024;
constexpr std::size_t keep_bytes = 1U << 20; // one huge row must not hold memory for ever

/// The row as JSON in a buffer that the next one reuses; empty: it is too large, or its type's own output function fails.
std::string_view payload_of(const Spec &spec, HeapTuple row, TupleDesc shape)
{
    static auto *const text = new std::string; // NOLINT: lives as long as the session
    if (text->capacity() > keep_bytes)
        *text = {};
    const std::size_t most = static_cast<std::size_t>(settings.max_event_size) * kilobyte;
    const auto &form = spec.row;
    bool written = false;
    if (!form->risky())
        return form->write(row, shape, most, *text) ? *text : std::string_view{};
    try {
        pg::subtransaction([&] { written = form->write(row, shape, most, *text); });
    } catch (const pg::Error &error) {
        if (is_of_transaction(error.sqlstate()))
            throw;
        pg::report(WARNING, error.sqlstate(), "a row cannot be written into an event, which carries its key alone: " + std::string{error.what()}, error.detail());
        return {};
    }
    return written ? *text : std::string_view{};
}

std::uint64_t place_of(HeapTuple row)
{
    constexpr unsigned offset_bits = 16;
    return static_cast<std::uint64_t>(ItemPointerGetBlockNumber(&row->t_self)) << offset_bits | ItemPointerGetOffsetNumber(&row->t_self);
}

Buffer::Lineage lineage_of(const TriggerData &trigger, Operation operation)
{
    HeapTuple const row = trigger.tg_trigtuple;
    HeapTuple const after = trigger.tg_newtuple;
    const auto command = pg::call([=] {
        if (operation == Operation::remove)
            return HeapTupleHeaderGetCmax(row->t_data);
        return HeapTupleHeaderGetCmin(operation == Operation::update ? after->t_data : row->t_data);
    });
    switch (operation) {
    case Operation::insert:
        return {command, 0, place_of(row)};
    case Operation::update:
        return {command, place_of(row), place_of(after)};
    default:
        return {command, place_of(row), 0};
    }
}

} // namespace

outbox::Topic topic_now(const Spec &spec)
{
    return {spec.table, {spec.target}, settings.correlation_id, settings.origin, spec.removes != nullptr, spec.carries};
}

std::vector<Buffer::Index> note_version(const Spec &spec, const TriggerData &trigger, Buffer::TopicId topic, outbox::PackedEvent event, std::string_view old_key)
{
    Buffer &changes = buffer();
    const int level = GetCurrentTransactionNestLevel();
    const TupleDesc shape = RelationGetDescr(trigger.tg_relation);
    auto lineage = lineage_of(trigger, event.operation);
    std::vector<Buffer::Index> entries;
    if (!old_key.empty()) {
        const auto payload = payload_of(spec, trigger.tg_trigtuple, shape);
        entries.push_back(changes.add_row(level, topic, {Operation::remove, true, event.key_columns, old_key, {}, payload}, {lineage.command, lineage.before, 0}));
        event.operation = Operation::insert;
        lineage.before = 0;
    }
    event.payload = payload_of(spec, trigger.tg_newtuple != nullptr ? trigger.tg_newtuple : trigger.tg_trigtuple, shape);
    entries.push_back(changes.add_row(level, topic, event, lineage));
    noted_rows();
    return entries;
}

void note_truncate(const Spec &spec, Oid table)
{
    Buffer &changes = buffer();
    attend(spec.manner, spec.target, spec.table, true);
    const auto topic = changes.intern(topic_now(spec));
    const outbox::PackedEvent event{Operation::truncate, false, 0, {}, {}};
    const int level = GetCurrentTransactionNestLevel();
    if (spec.carries == outbox::Carries::keys)
        changes.add(level, topic, event);
    else
        changes.add_row(level, topic, event, {});
    outbox::note_emptied(table, spec.target);
    spec.carries == outbox::Carries::keys ? noted() : noted_rows();
}

} // namespace autosync::capture
