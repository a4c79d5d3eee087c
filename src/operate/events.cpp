// The pending part of the view event_log, read from the log itself.

#include <map>

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

} // namespace

} // namespace autosync::operate

using namespace autosync;

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
