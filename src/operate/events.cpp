// The pending part of the view event_log, read from the log itself, and the events of the current transaction.

#include <array>
#include <map>

#include "capture/transaction.hpp"

#include "config/target.hpp"
#include "operate/access.hpp"
#include "operate/backlog.hpp"
#include "operate/key.hpp"
#include "operate/newest.hpp"
#include "operate/rows.hpp"
#include "outbox/identity.hpp"

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
                       (get_rel_name(table) != nullptr && pg_class_ownercheck(table, caller));
            });
        return found->second;
    }
    /// The key's columns are those of the declaration as it is now; joined when the sync is gone.
    [[nodiscard]] pg::Cell entity(const Pending &pending) const
    {
        const auto &key = pending.event.key;
        if (key.empty())
            return {};
        const auto sync = syncs_.find({pending.topic.table, pending.target});
        if (key.size() > 1 && sync != syncs_.end() && sync->second.key.size() == key.size())
            return key_text(sync->second, key);
        std::string text = key.front();
        for (std::size_t i = 1; i < key.size(); ++i)
            text += ", " + key[i];
        return text;
    }
    [[nodiscard]] pg::Cell changed(const Pending &pending)
    {
        if (pending.event.operation != outbox::Operation::update)
            return {};
        std::vector<std::string> names;
        for (const auto number : pending.event.changed)
            names.push_back(column(pending.topic.table, static_cast<AttrNumber>(number)));
        return array_text(names);
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
};

void write(Rows &rows, Tables &tables, const Pending &pending)
{
    rows.add({event_id(pending.position.xid, static_cast<std::uint32_t>(pending.position.seq), pending.ordinal), pending.target,
              std::to_string(pending.topic.table), operation_name(pending.event.operation), tables.entity(pending), tables.changed(pending),
              text_or_null(pending.topic.correlation_id), text_or_null(pending.topic.origin), time_text(pending.captured_at)});
}

std::string bytes_of_hex(std::string_view text)
{
    const auto digit = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        bytes += static_cast<char>(digit(text[i]) << 4U | digit(text[i + 1]));
    return bytes;
}

/// What the current transaction has noted, each event for each of its targets. A large transaction has written some of it to the log.
void write_own(Rows &rows, Tables &tables, std::int64_t instance)
{
    std::int32_t seq = 0;
    const auto xid = pg::call([] { return U64FromFullTransactionId(GetTopFullTransactionIdIfAny()); });
    const auto write_chunk = [&](const std::string &bytes) {
        const auto chunk = outbox::read_chunk(bytes);
        for (std::uint32_t i = 0; i < chunk.events.size(); ++i) {
            const auto &topic = chunk.topics[chunk.events[i].topic];
            if (!tables.visible(topic.table))
                continue;
            for (const auto &target : topic.targets)
                write(rows, tables, {target, {xid, seq}, i, chunk.captured_at, topic, chunk.events[i]});
        }
        ++seq;
    };
    constexpr std::array logs{"autosync.log_0", "autosync.log_1", "autosync.log_2"};
    for (const std::string log : logs)
        if (capture::has_written())
            for (const auto &row : pg::execute("SELECT encode(data, 'hex') FROM " + log + " WHERE instance = $1::int8 AND xid = $2::xid8 ORDER BY seq",
                                               {std::to_string(instance), std::to_string(xid)}))
                write_chunk(bytes_of_hex(row[0].value_or("")));
    capture::buffer().copy(GetCurrentTimestamp(), write_chunk);
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_captured_rows)
{
    operate::Rows rows{fcinfo};
    const auto identity = outbox::identity();
    if (!identity || !capture::has_pending())
        PG_RETURN_VOID();
    operate::Tables tables{GetUserId()};
    const pg::ActingAs owner{pg::extension_owner(), false};
    operate::write_own(rows, tables, identity->id);
    PG_RETURN_VOID();
}

AUTOSYNC_SQL(autosync_event_rows)
{
    operate::Rows rows{fcinfo};
    const auto identity = outbox::identity();
    if (!identity)
        PG_RETURN_VOID();
    operate::Tables tables{GetUserId()};
    const pg::ActingAs owner{pg::extension_owner(), false};
    const operate::Kept now;
    operate::each_pending(identity->id, config::target_names(), now.get(), [&](const operate::Pending &pending) {
        if (tables.visible(pending.topic.table))
            operate::write(rows, tables, pending);
        return true;
    });
    PG_RETURN_VOID();
}
