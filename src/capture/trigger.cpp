// The trigger function: which key changed, and does it matter to this sync? Everything else is somebody else's business.

#include <algorithm>
#include <string_view>
#include <vector>

#include "capture/attend.hpp"
#include "capture/compare.hpp"
#include "capture/row_version.hpp"
#include "capture/spec.hpp"
#include "capture/transaction.hpp"
#include "config/settings.hpp"
#include "pg/bridge.hpp"

namespace autosync::capture {

using config::settings;
using outbox::Operation;

namespace {

/// What happened to the row the trigger fired for. Text lies in session-long buffers that the next row reuses.
struct RowChange {
    Operation operation = Operation::update;
    bool has_changes = false; ///< `changed` is filled
    bool rekeyed = false;
};
StringInfoData part;     // one key column's text
StringInfoData key;      // packed key of the row as it is now (as it was, for a delete)
StringInfoData old_key;  // packed key the row had before a key change
StringInfoData changed;  // bitmap of changed attributes

/// Several syncs of one table fire one after the other for the same row version: the later ones mark the event that is there.
struct LastRow {
    std::uint64_t generation = 0; ///< of the buffer; 0: none
    Oid relation = InvalidOid;
    Operation operation = Operation::update;
    ItemPointerData before{};
    ItemPointerData after{};
    Oid table = InvalidOid;
    std::vector<Oid> triggers; ///< that have seen it; the first made the entries
    std::vector<AttrNumber> key;
    outbox::Carries carries = outbox::Carries::keys;
    std::string columns; ///< of the row that the entries carry
    std::vector<Buffer::Index> entries;
};
LastRow *last_row = nullptr;

void prepare_scratch()
{
    if (last_row != nullptr)
        return;
    pg::call([] {
        MemoryContext const home = MemoryContextSwitchTo(TopMemoryContext);
        initStringInfo(&part);
        initStringInfo(&key);
        initStringInfo(&old_key);
        initStringInfo(&changed);
        MemoryContextSwitchTo(home);
    });
    last_row = new LastRow; // NOLINT: lives as long as the session
}

void pack_key(const KeyPart *parts, std::size_t count, HeapTuple row, TupleDesc shape, StringInfo out)
{
    resetStringInfo(out);
    for (std::size_t i = 0; i < count; ++i) {
        bool null = false;
        const Datum value = heap_getattr(row, parts[i].number, shape, &null);
        if (!null && parts[i].form.brief()) { // the usual ones go where they belong at once: their length is one byte
            const int length_at = out->len;
            appendStringInfoCharMacro(out, '\0');
            parts[i].form.append(out, value);
            out->data[length_at] = static_cast<char>(out->len - length_at - 1);
            continue;
        }
        resetStringInfo(&part);
        if (!null)
            parts[i].form.append(&part, value);
        auto size = static_cast<unsigned>(part.len);
        while (size >= 0x80) {
            appendStringInfoCharMacro(out, static_cast<char>(static_cast<std::uint8_t>(size) | 0x80U));
            size >>= 7;
        }
        appendStringInfoCharMacro(out, static_cast<char>(size));
        appendBinaryStringInfo(out, part.data, part.len);
    }
}

/// Does `changed` have anything that this sync uses? It still describes the row when an earlier trigger of the same version has filled it.
bool matters(const Spec &spec)
{
    for (std::size_t i = 0; i < spec.used.size() && i < static_cast<std::size_t>(changed.len); ++i) {
        if ((static_cast<unsigned char>(spec.used[i]) & static_cast<unsigned char>(changed.data[i])) != 0)
            return true;
    }
    return false;
}

bool key_changed(const Spec &spec)
{
    return std::any_of(spec.key.begin(), spec.key.end(), [](const KeyPart &column) {
        const auto bit = static_cast<std::size_t>(column.number - 1);
        return (static_cast<unsigned char>(changed.data[bit / 8]) >> (bit % 8) & 1U) != 0;
    });
}

/// False: an update that changes nothing this sync uses.
bool describe(const Spec &spec, const TriggerData &trigger, RowChange &row)
{
    const KeyPart *const parts = spec.key.data();
    const std::size_t count = spec.key.size();
    const Spec *const sync = &spec;
    HeapTuple const before = trigger.tg_trigtuple;
    HeapTuple const after = trigger.tg_newtuple;
    const TupleDesc shape = RelationGetDescr(trigger.tg_relation);
    RowChange *const out = &row;
    return pg::call([=] {
        if (out->operation != Operation::update) {
            pack_key(parts, count, before, shape, &key);
            return true;
        }
        compare(before, after, shape, &changed);
        out->has_changes = true;
        if (!matters(*sync))
            return false;
        pack_key(parts, count, after, shape, &key);
        if (key_changed(*sync)) {
            pack_key(parts, count, before, shape, &old_key);
            out->rekeyed = old_key.len != key.len || memcmp(old_key.data, key.data, static_cast<std::size_t>(key.len)) != 0;
        }
        return true;
    });
}

/// The topic of this sync's events, interned again when the transaction or the session's stamps have changed.
Buffer::TopicId topic_of(Spec &spec, Buffer &changes)
{
    if (spec.epoch == changes.epoch()) {
        const auto &known = changes.topic(spec.topic);
        if (known.correlation_id == settings.correlation_id && known.origin == settings.origin)
            return spec.topic;
    }
    spec.topic = changes.intern(topic_now(spec));
    spec.epoch = changes.epoch();
    return spec.topic;
}

bool same_key_columns(const Spec &spec, const std::vector<AttrNumber> &columns)
{
    return std::equal(spec.key.begin(), spec.key.end(), columns.begin(), columns.end(),
                      [](const KeyPart &column, AttrNumber number) { return column.number == number; });
}

/// The row version an earlier trigger has just noted, if it is this one.
bool is_last_row(const Spec &spec, const TriggerData &trigger, Operation operation, const Buffer &changes)
{
    const LastRow &last = *last_row;
    const Oid me = trigger.tg_trigger->tgoid;
    return last.generation == changes.generation() && last.relation == RelationGetRelid(trigger.tg_relation) && last.operation == operation &&
           last.table == spec.table && ItemPointerEquals(const_cast<ItemPointer>(&last.before), &trigger.tg_trigtuple->t_self) &&
           (operation != Operation::update || ItemPointerEquals(const_cast<ItemPointer>(&last.after), &trigger.tg_newtuple->t_self)) &&
           spec.carries == last.carries && (spec.row == nullptr || spec.used == last.columns) &&
           std::find(last.triggers.begin(), last.triggers.end(), me) == last.triggers.end() && same_key_columns(spec, last.key);
}

void remember_row(const Spec &spec, const TriggerData &trigger, Operation operation, const Buffer &changes)
{
    LastRow &last = *last_row;
    last.generation = changes.generation();
    last.relation = RelationGetRelid(trigger.tg_relation);
    last.operation = operation;
    last.before = trigger.tg_trigtuple->t_self;
    if (operation == Operation::update)
        last.after = trigger.tg_newtuple->t_self;
    last.table = spec.table;
    last.triggers.assign(1, trigger.tg_trigger->tgoid);
    last.key.clear();
    for (const KeyPart &column : spec.key)
        last.key.push_back(column.number);
    last.entries.clear();
    last.carries = spec.carries;
    if (spec.row != nullptr)
        last.columns = spec.used;
}

std::string_view view(const StringInfoData &text) { return {text.data, static_cast<std::size_t>(text.len)}; }

/// `removes`: of a deletion, whether it goes from the target whatever on_delete says otherwise.
void note_row(Spec &spec, const TriggerData &trigger, Operation operation, bool removes)
{
    prepare_scratch();
    Buffer &changes = buffer();
    const bool alone = spec.removes != nullptr; // what it says of a deletion is for its own target only, so nobody shares its events
    if (!alone && is_last_row(spec, trigger, operation, changes)) {
        last_row->triggers.push_back(trigger.tg_trigger->tgoid);
        if (operation == Operation::update && !matters(spec))
            return;
        attend(spec.manner, spec.target, spec.table, false);
        const Buffer::TopicId topic = topic_of(spec, changes);
        if (changes.topic(topic).correlation_id == settings.correlation_id) {
            for (const Buffer::Index entry : last_row->entries)
                changes.mark(entry, spec.target);
            return;
        }
    }
    RowChange row;
    row.operation = operation;
    if (!alone)
        last_row->generation = 0;
    if (!describe(spec, trigger, row))
        return;
    attend(spec.manner, spec.target, spec.table, false);
    const Buffer::TopicId topic = topic_of(spec, changes);
    const int level = GetCurrentTransactionNestLevel();
    if (!alone)
        remember_row(spec, trigger, operation, changes);
    const auto columns = static_cast<std::uint8_t>(spec.key.size());
    if (spec.row != nullptr) {
        const auto entries = note_version(spec, trigger, topic,
                                          {operation, removes, columns, view(key), row.has_changes ? view(changed) : std::string_view{}},
                                          row.rekeyed ? view(old_key) : std::string_view{});
        if (!alone)
            last_row->entries = entries;
        return;
    }
    Buffer::Index former = 0;
    if (row.rekeyed)
        former = changes.add(level, topic, {Operation::remove, true, columns, view(old_key), {}});
    const Buffer::Index entry = changes.add(level, topic, {operation, removes, columns, view(key), row.has_changes ? view(changed) : std::string_view{}});
    if (!alone) {
        if (row.rekeyed)
            last_row->entries.push_back(former);
        last_row->entries.push_back(entry);
    }
    noted();
}

bool switched_on(Operation operation)
{
    switch (operation) {
    case Operation::insert:
        return settings.capture_insert;
    case Operation::update:
        return settings.capture_update;
    case Operation::remove:
        return settings.capture_delete;
    case Operation::truncate:
        return settings.capture_truncate;
    }
    return false;
}

Operation operation_of(TriggerEvent event)
{
    if (TRIGGER_FIRED_BY_INSERT(event))
        return Operation::insert;
    if (TRIGGER_FIRED_BY_UPDATE(event))
        return Operation::update;
    return TRIGGER_FIRED_BY_DELETE(event) ? Operation::remove : Operation::truncate;
}

void capture(const TriggerData &trigger)
{
    const Operation operation = operation_of(trigger.tg_event);
    if (!settings.enabled || !switched_on(operation))
        return;
    Spec &spec = spec_of(trigger);
    if (!spec.active || (spec.operations & 1U << unsigned(operation)) == 0 || spec.target == settings.origin)
        return;
    if (operation == Operation::truncate) {
        if (last_row != nullptr)
            last_row->generation = 0;
        note_truncate(spec, RelationGetRelid(trigger.tg_relation));
    } else if (TRIGGER_FIRED_FOR_ROW(trigger.tg_event) && TRIGGER_FIRED_AFTER(trigger.tg_event)) {
        Spec *current = &spec;
        bool removes = false;
        if (operation == Operation::remove && spec.removes != nullptr) {
            const auto condition = spec.removes;
            removes = condition->holds(trigger.tg_trigtuple, RelationGetDescr(trigger.tg_relation));
            current = &spec_of(trigger); // looked up again: what the condition calls may have made it anew
        }
        note_row(*current, trigger, operation, removes);
    }
}

} // namespace
} // namespace autosync::capture

AUTOSYNC_SQL(autosync_capture)
{
    if (!CALLED_AS_TRIGGER(fcinfo))
        throw autosync::pg::Failure{ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, "function \"autosync.capture\" was not called by trigger manager"};
    autosync::capture::capture(*reinterpret_cast<const TriggerData *>(fcinfo->context));
    return PointerGetDatum(nullptr);
}
