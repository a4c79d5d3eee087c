// The trigger function on tables that have a say in other tables' documents (refresh_on): their changes are changes of the entities they name.

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "capture/attend.hpp"
#include "capture/compare.hpp"
#include "capture/spec.hpp"
#include "capture/transaction.hpp"
#include "config/refresh.hpp"
#include "config/settings.hpp"
#include "declaration/jobs.hpp"
#include "pg/bridge.hpp"

namespace autosync::capture {

using config::settings;
using outbox::Operation;

namespace {

/// A sync that such a table has a say in.
struct Parent {
    Oid table = InvalidOid;
    std::vector<KeyPart> key; ///< columns of the child
    Manner manner;
};
struct Refreshing {
    std::string target;
    std::vector<Parent> parents;
};

using Cache = std::map<Oid, std::shared_ptr<const Refreshing>>;
Cache *cache = nullptr; // per session; never destroyed
bool stale = false;

void forget_relation(Datum, Oid) { stale = true; }
void forget_entry(Datum, int, uint32) { stale = true; }

/// All that is declared to this target by tables that name the child; in the order in which they are found.
void build(Refreshing &refreshing, const TriggerData &trigger)
{
    const Oid child = declaring_table(trigger.tg_trigger->tgoid, RelationGetRelid(trigger.tg_relation));
    const TupleDesc shape = RelationGetDescr(trigger.tg_relation);
    if (trigger.tg_trigger->tgnargs != 1)
        return;
    refreshing.target = trigger.tg_trigger->tgargs[0];
    config::Catalog catalog;
    for (const auto &declared : catalog.triggers()) {
        const auto *const table = catalog.table(declared.table);
        if (table == nullptr || declared.declaration.target != refreshing.target || !TRIGGER_FOR_ROW(declared.type) || declared.enabled == TRIGGER_DISABLED ||
            !declared.declaration.options.contains("refresh_on") || !is_enabled(refreshing.target, declared.declaration.options))
            continue;
        for (const auto &refresh : config::refreshes(*table, declared.declaration.options)) {
            if (refresh.child != child)
                continue;
            Parent parent{table->oid, {}, manner_of(refreshing.target, declared.declaration.options)};
            for (const auto &name : refresh.columns) {
                KeyPart part{attribute(shape, name), {}};
                if (part.number == InvalidAttrNumber)
                    break;
                const Oid type = TupleDescAttr(shape, part.number - 1)->atttypid;
                pg::Canonical *const form = &part.form;
                pg::call([form, type] { *form = pg::Canonical{type}; });
                parent.key.push_back(part);
            }
            if (parent.key.size() == refresh.columns.size())
                refreshing.parents.push_back(std::move(parent));
        }
    }
}

/// Shared, as what is noted may make the cache anew.
std::shared_ptr<const Refreshing> refreshing_of(const TriggerData &trigger)
{
    if (cache == nullptr) {
        cache = new Cache; // NOLINT: lives as long as the session
        pg::call([] {
            CacheRegisterRelcacheCallback(forget_relation, Datum{0});
            CacheRegisterSyscacheCallback(FOREIGNSERVEROID, forget_entry, Datum{0});
        });
    }
    if (stale) {
        stale = false;
        cache->clear();
    }
    if (const auto known = cache->find(trigger.tg_trigger->tgoid); known != cache->end())
        return known->second;
    auto fresh = std::make_shared<Refreshing>();
    try {
        build(*fresh, trigger);
    } catch (const pg::Error &) {
        throw; // out of memory, a cancel: the transaction's own
    } catch (const std::exception &) {
        fresh->parents.clear(); // malformed since its declaration
    }
    return cache->insert_or_assign(trigger.tg_trigger->tgoid, std::move(fresh)).first->second;
}

/// The packed key that a row names; empty: none.
std::string key_of(const Parent &parent, HeapTuple row, TupleDesc shape)
{
    std::string packed;
    for (const auto &part : parent.key) {
        struct Text {
            char *data;
            int size;
        };
        const KeyPart *const column = &part;
        const Text text = pg::call([=] {
            bool null = false;
            const Datum value = heap_getattr(row, column->number, shape, &null);
            if (null)
                return Text{nullptr, 0};
            StringInfoData out;
            initStringInfo(&out);
            column->form.append(&out, value);
            return Text{out.data, out.len};
        });
        if (text.data == nullptr)
            return {};
        outbox::pack_text(packed, {text.data, static_cast<std::size_t>(text.size)});
        pfree(text.data);
    }
    return packed;
}

bool changes_something(const TriggerData &trigger)
{
    HeapTuple const before = trigger.tg_trigtuple;
    HeapTuple const after = trigger.tg_newtuple;
    const TupleDesc shape = RelationGetDescr(trigger.tg_relation);
    return pg::call([=] {
        StringInfoData changed;
        initStringInfo(&changed);
        compare(before, after, shape, &changed);
        const bool any = std::any_of(changed.data, changed.data + changed.len, [](char byte) { return byte != 0; });
        pfree(changed.data);
        return any;
    });
}

void note(const std::string &target, const Parent &parent, const std::string &key)
{
    if (key.empty())
        return;
    auto &changes = buffer();
    attend(parent.manner, target, parent.table, false);
    const auto topic = changes.intern({parent.table, {target}, settings.correlation_id, settings.origin});
    changes.add(GetCurrentTransactionNestLevel(), topic, {Operation::update, false, static_cast<std::uint8_t>(parent.key.size()), key, {}});
    noted();
}

void refresh(const TriggerData &trigger)
{
    if (!settings.enabled || !TRIGGER_FIRED_AFTER(trigger.tg_event))
        return;
    const auto found = refreshing_of(trigger);
    const Refreshing &refreshing = *found;
    if (refreshing.parents.empty() || refreshing.target == settings.origin)
        return;
    if (TRIGGER_FIRED_BY_TRUNCATE(trigger.tg_event)) { // nobody knows any more whom the rows named
        for (const auto &parent : refreshing.parents)
            for (const auto job : {declaration::Job::sweep, declaration::Job::backfill})
                declaration::request_job(refreshing.target, parent.table, job, "TRUNCATE of a table that refresh_on names");
        return;
    }
    const bool update = TRIGGER_FIRED_BY_UPDATE(trigger.tg_event);
    if (update && !changes_something(trigger))
        return;
    const TupleDesc shape = RelationGetDescr(trigger.tg_relation);
    for (const auto &parent : refreshing.parents) {
        const auto key = key_of(parent, trigger.tg_trigtuple, shape);
        note(refreshing.target, parent, key);
        if (!update)
            continue;
        if (const auto other = key_of(parent, trigger.tg_newtuple, shape); other != key)
            note(refreshing.target, parent, other);
    }
}

} // namespace

} // namespace autosync::capture

AUTOSYNC_SQL(autosync_refresh)
{
    if (!CALLED_AS_TRIGGER(fcinfo))
        throw autosync::pg::Failure{ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, "function \"autosync.refresh\" was not called by trigger manager"};
    autosync::capture::refresh(*reinterpret_cast<const TriggerData *>(fcinfo->context));
    return PointerGetDatum(nullptr);
}
