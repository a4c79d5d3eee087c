// The pending part of the view event_log, read from the log itself, and the events of the current transaction.

#include <map>

#include "capture/transaction.hpp"

#include "config/target.hpp"
#include "operate/access.hpp"
#include "operate/backlog.hpp"
#include "operate/key.hpp"
#include "operate/rows.hpp"
#include "outbox/cursor.hpp"
#include "outbox/event_id.hpp"
#include "outbox/identity.hpp"
#include "outbox/word.hpp"

namespace autosync::operate {

namespace {

const char *operation_name(outbox::Operation operation)
{
    switch (operation) {
    case outbox::Operation::insert: return "insert";
    case outbox::Operation::update: return "update";
    case outbox::Operation::remove: return "delete";
    case outbox::Operation::truncate: return "truncate";
    }
    return "update";
}

/// What is looked up once per table and target.
class Tables final {
public:
    explicit Tables(Oid caller) : caller_{caller}
    {
        for (auto &sync : config::load_syncs()) {
            auto &under = syncs_[{sync.table, sync.target}];
            under = std::move(sync);
        }
    }
    /// The caller sees the events of its own tables.
    [[nodiscard]] bool visible(Oid table)
    {
        const auto [found, fresh] = visible_.try_emplace(table, false);
        if (fresh)
            found->second = pg::call([table, caller = caller_] {
                return superuser_arg(caller) || has_privs_of_role(caller, ROLE_PG_READ_ALL_DATA) ||
                       (get_rel_name(table) != nullptr && object_ownercheck(RelationRelationId, table, caller));
            });
        return found->second;
    }
    /// And what it has said itself.
    [[nodiscard]] bool visible(const outbox::Topic &topic, const outbox::Event &event)
    {
        if (visible(topic.table))
            return true;
        if (topic.carries != outbox::Carries::words)
            return false;
        const Oid speaker = outbox::speaker_of(event.payload);
        return OidIsValid(speaker) && pg::call([speaker, caller = caller_] { return has_privs_of_role(caller, speaker); });
    }
    /// The key's columns are those of the declaration as it is now; joined when the sync is gone. Not for an event without a key.
    [[nodiscard]] std::string entity(const Pending &pending) const
    {
        const auto &key = pending.event.key;
        if (key.size() == 1 || pending.topic.carries == outbox::Carries::words)
            return key.back();
        const auto sync = syncs_.find({pending.topic.table, pending.target});
        if (key.size() > 1 && sync != syncs_.end() && sync->second.key.size() == key.size())
            return key_text(sync->second, key);
        std::string text = key.front();
        for (std::size_t i = 1; i < key.size(); ++i)
            text += ", " + key[i];
        return text;
    }
    /// The names of the columns that an update changed, as text[] in the caller's memory.
    [[nodiscard]] Datum changed(const Pending &pending)
    {
        const auto [found, fresh] = changed_.try_emplace({pending.topic.table, pending.event.changed}, Datum{0});
        if (fresh) {
            std::vector<std::string> names;
            for (const auto number : pending.event.changed)
                names.push_back(column(pending.topic.table, static_cast<AttrNumber>(number)));
            const auto *const list = &names;
            found->second = pg::call([list] {
                auto *const items = static_cast<Datum *>(palloc((list->size() + 1) * sizeof(Datum)));
                for (std::size_t i = 0; i < list->size(); ++i)
                    items[i] = CStringGetTextDatum((*list)[i].c_str());
                return PointerGetDatum(construct_array(items, static_cast<int>(list->size()), TEXTOID, -1, false, TYPALIGN_INT));
            });
        }
        return found->second;
    }

private:
    const std::string &column(Oid table, AttrNumber number)
    {
        auto &name = columns_[{table, number}];
        if (name.empty()) {
            const char *const found = pg::call([table, number] { return get_attname(table, number, true); });
            name = found == nullptr ? "?" : found;
        }
        return name;
    }

    Oid caller_;
    std::map<std::pair<Oid, std::string>, config::Sync> syncs_;
    std::map<Oid, bool> visible_;
    std::map<std::pair<Oid, AttrNumber>, std::string> columns_;
    std::map<std::pair<Oid, std::vector<std::uint16_t>>, Datum> changed_;
};

/// A set of events as the result of a function. There may be a million: no value goes through its type's input function.
class Events final {
public:
    Events(FunctionCallInfo fcinfo, Tables &tables) : tables_{tables}, result_{reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo)}
    {
        pg::call([fcinfo] { InitMaterializedSRF(fcinfo, 0); });
        scratch_ = pg::call([] { return AllocSetContextCreate(CurrentMemoryContext, "autosync events", ALLOCSET_DEFAULT_SIZES); });
    }

    void add(const Pending &pending)
    {
        const auto &event = pending.event;
        const std::string id = outbox::event_id(pending.position.xid, static_cast<std::uint32_t>(pending.position.seq), pending.ordinal, event.serial);
        const std::string entity = event.key.empty() ? std::string{} : tables_.entity(pending);
        const bool word = pending.topic.carries == outbox::Carries::words;
        const Datum changed = event.operation == outbox::Operation::update && !word ? tables_.changed(pending) : Datum{0};
        const auto *const it = &pending;
        const auto *const id_text = &id;
        const auto *const entity_text = &entity;
        pg::call([this, it, id_text, entity_text, changed] { put(*it, *id_text, *entity_text, changed); });
    }

private:
    void put(const Pending &pending, const std::string &id, const std::string &entity, Datum changed)
    {
        constexpr int columns = 10;
        constexpr int at_once = 500; // rows whose memory is given back together
        MemoryContext const home = MemoryContextSwitchTo(scratch_);
        const auto text = [](std::string_view it) { return PointerGetDatum(cstring_to_text_with_len(it.data(), static_cast<int>(it.size()))); };
        NameData target;
        namestrcpy(&target, pending.target.c_str());
        const auto &topic = pending.topic;
        const auto &payload = pending.event.payload;
        Datum values[columns] = {text(id),
                                 NameGetDatum(&target),
                                 ObjectIdGetDatum(topic.table),
                                 text(topic.carries == outbox::Carries::words ? outbox::word_operation : operation_name(pending.event.operation)),
                                 text(entity),
                                 changed,
                                 text(topic.correlation_id),
                                 text(topic.origin),
                                 TimestampTzGetDatum(pending.captured_at),
                                 payload.empty() ? Datum{0} : text(payload)};
        bool nulls[columns] = {false, false, false, false, pending.event.key.empty(), changed == 0, topic.correlation_id.empty(), topic.origin.empty(), false,
                                payload.empty()};
        tuplestore_putvalues(result_->setResult, result_->setDesc, values, nulls);
        MemoryContextSwitchTo(home);
        if (++rows_ % at_once == 0)
            MemoryContextReset(scratch_);
    }

    Tables &tables_;
    ReturnSetInfo *result_;
    MemoryContext scratch_ = nullptr; // goes with its parent
    int rows_ = 0;
};

std::string bytes_of_hex(std::string_view text)
{
    const auto digit = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        bytes += static_cast<char>(digit(text[i]) << 4U | digit(text[i + 1]));
    return bytes;
}

/// What the current transaction has noted, each event for each of its targets. A large transaction has written some of it to the log.
void write_own(Events &events, Tables &tables, std::int64_t instance)
{
    std::int32_t seq = 0;
    const auto xid = pg::call([] { return U64FromFullTransactionId(GetTopFullTransactionIdIfAny()); });
    const auto write_chunk = [&](const std::string &bytes) {
        const auto chunk = outbox::read_chunk(bytes);
        for (std::uint32_t i = 0; i < chunk.events.size(); ++i) {
            const auto &topic = chunk.topics[chunk.events[i].topic];
            if (!tables.visible(topic, chunk.events[i]))
                continue;
            for (const auto &target : topic.targets)
                events.add({target, {xid, seq}, i, chunk.captured_at, topic, chunk.events[i]});
        }
        ++seq;
    };
    if (capture::has_written())
        for (const auto &row : pg::execute("SELECT encode(l.data, 'hex') FROM (SELECT * FROM autosync.log_0 UNION ALL SELECT * FROM autosync.log_1"
                                           " UNION ALL SELECT * FROM autosync.log_2) AS l WHERE l.instance = $1::int8 AND l.xid = $2::xid8 ORDER BY l.seq",
                                           {std::to_string(instance), std::to_string(xid)}))
            write_chunk(bytes_of_hex(row[0].value_or("")));
    capture::buffer().copy(GetCurrentTimestamp(), write_chunk);
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_captured_rows)
{
    operate::Tables tables{GetUserId()};
    operate::Events events{fcinfo, tables};
    const auto identity = outbox::identity();
    if (!identity || !capture::has_pending())
        PG_RETURN_VOID();
    const pg::ActingAs owner{pg::extension_owner(), false};
    operate::write_own(events, tables, identity->id);
    PG_RETURN_VOID();
}

AUTOSYNC_SQL(autosync_event_rows)
{
    operate::Tables tables{GetUserId()};
    operate::Events events{fcinfo, tables};
    const auto identity = outbox::identity();
    if (!identity)
        PG_RETURN_VOID();
    const pg::ActingAs owner{pg::extension_owner(), false};
    // All with the snapshot of the query: other parts of the view are read with it as well, and what settles meanwhile must be in one of them.
    const auto visit = [&](const operate::Pending &pending) {
        if (tables.visible(pending.topic, pending.event))
            events.add(pending);
        return true;
    };
    operate::Walk{identity->id, outbox::load_cursors_seen(identity->id), config::target_names()}.go_on(visit, [] { return false; });
    PG_RETURN_VOID();
}
