#include "capture/spec.hpp"

#include <algorithm>
#include <exception>
#include <map>
#include <memory>
#include <string_view>

#include "config/options.hpp"
#include "config/sync.hpp"
#include "config/target.hpp"
#include "config/words.hpp"
#include "targets/history.hpp"

namespace autosync::capture {

using config::Options;
using outbox::Operation;

namespace {

using Cache = std::map<Oid, std::unique_ptr<Spec>>;

Cache *cache = nullptr; // per session; built on first use, never destroyed
bool stale = false;

void forget_relation(Datum, Oid) { stale = true; }
void forget_entry(Datum, int, uint32) { stale = true; }

void watch_catalogs()
{
    cache = new Cache; // NOLINT: lives as long as the session
    pg::call([] {
        CacheRegisterRelcacheCallback(forget_relation, Datum{0});
        CacheRegisterSyscacheCallback(FOREIGNSERVEROID, forget_entry, Datum{0});
    });
}

/// An option of the server; null: not set, or the server does not exist (yet).
const char *server_option(const std::string &name, const char *wanted)
{
    const char *const server_name = name.c_str();
    return pg::call([server_name, wanted]() -> const char * {
        const ForeignServer *const server = GetForeignServerByName(server_name, true);
        if (server == nullptr)
            return nullptr;
        ListCell *cell = nullptr;
        foreach (cell, server->options) {
            auto *const option = lfirst_node(DefElem, cell);
            if (strcmp(option->defname, wanted) == 0)
                return defGetString(option);
        }
        return nullptr;
    });
}

/// The options of the sync: a trigger for TRUNCATE names its target alone, so those of the row-level one beside it.
Options options_of_sync(const TriggerData &trigger, const std::string &target)
{
    const TriggerDesc *const triggers = trigger.tg_relation->trigdesc;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i) {
        const Trigger &other = triggers->triggers[i];
        if (other.tgfoid == trigger.tg_trigger->tgfoid && TRIGGER_FOR_ROW(other.tgtype) && other.tgnargs > 0 && target == other.tgargs[0])
            return config::read_arguments(other).options;
    }
    return {};
}

unsigned operations_of(const Options &options)
{
    constexpr unsigned all = 1U << unsigned(Operation::insert) | 1U << unsigned(Operation::update) | 1U << unsigned(Operation::remove) |
                             1U << unsigned(Operation::truncate);
    const auto declared = options.find("operations");
    if (declared == options.end())
        return all;
    unsigned bits = 0;
    for (const auto &name : config::parse_columns(declared->second)) {
        bits |= name == "insert" ? 1U << unsigned(Operation::insert) : 0U;
        bits |= name == "update" ? 1U << unsigned(Operation::update) : 0U;
        bits |= name == "delete" ? 1U << unsigned(Operation::remove) : 0U;
        bits |= name == "truncate" ? 1U << unsigned(Operation::truncate) : 0U;
    }
    return bits;
}

/// Attribute numbers of the key, in key order; empty when there is none (any more).
std::vector<AttrNumber> key_of(Relation relation, const Options &options)
{
    std::vector<AttrNumber> numbers;
    if (const auto declared = options.find("key"); declared != options.end()) {
        for (const auto &name : config::parse_columns(declared->second)) {
            numbers.push_back(attribute(RelationGetDescr(relation), name));
            if (numbers.back() == InvalidAttrNumber)
                return {};
        }
        return numbers;
    }
    struct Columns {
        int count;
        AttrNumber numbers[INDEX_MAX_KEYS];
    };
    // Not rd_pkindex, which leaves out a primary key that is deferrable: when a transaction has committed, that holds as well.
    const Columns primary = pg::call([relation] {
        Columns found{};
        List *const indexes = RelationGetIndexList(relation);
        ListCell *cell = nullptr;
        foreach (cell, indexes) {
            HeapTuple const tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
            if (!HeapTupleIsValid(tuple))
                continue;
            const auto *const index = reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple));
            if (index->indisprimary && index->indisvalid) {
                found.count = index->indnkeyatts;
                for (int i = 0; i < found.count; ++i)
                    found.numbers[i] = index->indkey.values[i];
            }
            ReleaseSysCache(tuple);
        }
        list_free(indexes);
        return found;
    });
    numbers.assign(primary.numbers, primary.numbers + primary.count);
    return numbers;
}

void use(std::string &bitmap, AttrNumber number)
{
    const auto bit = static_cast<std::size_t>(number - 1);
    bitmap[bit / 8] = static_cast<char>(static_cast<unsigned char>(bitmap[bit / 8]) | 1U << (bit % 8));
}

/// The columns an update must touch to matter: sent, key, foreign keys, and whatever an expression may mention.
std::string used_columns(Relation relation, const Options &options, const std::vector<AttrNumber> &key)
{
    const TupleDesc shape = RelationGetDescr(relation);
    std::string used(static_cast<std::size_t>(shape->natts + 7) / 8, '\0');
    const auto option = [&](const char *name) {
        const auto found = options.find(name);
        return found == options.end() ? std::string{} : found->second;
    };
    const std::string expressions = config::lower(option("filter") + "\n" + option("soft_delete") + "\n" + config::removal_condition(options) + "\n" + option("embed_expression"));
    const auto mentioned = [&](std::string_view name) { return expressions.find(config::lower(name)) != std::string::npos; };
    // Whoever mentions the table in an expression may mean the whole row.
    const bool whole_row = mentioned(NameStr(relation->rd_rel->relname)) || options.contains("transform");
    const auto list_of = [&](const char *name) {
        const auto found = options.find(name);
        return found == options.end() ? std::vector<std::string>{} : config::parse_columns(found->second);
    };
    const bool vectors = config::gives_vectors(options);
    const auto listed = list_of(vectors && options.contains("payload") ? "payload" : "columns");
    const auto excluded = list_of("exclude");
    const auto of_vectors = vectors ? config::vector_columns(options) : std::vector<std::string>{};
    const auto has = [](const std::vector<std::string> &names, std::string_view name) { return std::find(names.begin(), names.end(), name) != names.end(); };
    for (int i = 0; i < shape->natts; ++i) {
        const Form_pg_attribute column = TupleDescAttr(shape, i);
        const std::string_view name = NameStr(column->attname);
        const bool sent = listed.empty() ? !has(excluded, name) : has(listed, name);
        if (!column->attisdropped && (sent || whole_row || has(of_vectors, name) || mentioned(name)))
            use(used, column->attnum);
    }
    for (const AttrNumber number : key)
        use(used, number);
    if (const AttrNumber number = attribute(shape, option("version")); number != InvalidAttrNumber)
        use(used, number);
    if (vectors) // foreign keys mean nothing to it
        return used;
    const List *const foreign_keys = pg::call([relation] { return RelationGetFKeyList(relation); });
    for (int i = 0; i < list_length(foreign_keys); ++i) {
        const auto *const foreign_key = static_cast<const ForeignKeyCacheInfo *>(list_nth(foreign_keys, i));
        for (int at = 0; at < foreign_key->nkeys; ++at)
            use(used, foreign_key->conkey[at]);
    }
    return used;
}

outbox::Carries carries_of(const std::string &target, const Options &options)
{
    const char *const name = target.c_str();
    const Oid server = pg::call([name] { return get_foreign_server_oid(name, true); });
    if (OidIsValid(server) && targets::keeps_history(config::kind_of_server(server), options))
        return outbox::Carries::history;
    const auto declared = options.find("capture");
    return declared != options.end() && declared->second == "row" ? outbox::Carries::rows : outbox::Carries::keys;
}

void build(Spec &spec, const TriggerData &trigger)
{
    Relation const relation = trigger.tg_relation;
    const auto declaration = config::read_arguments(*trigger.tg_trigger);
    spec.table = declaring_table(trigger.tg_trigger->tgoid, RelationGetRelid(relation));
    spec.target = declaration.target;
    if (!is_enabled(spec.target, declaration.options))
        return;
    spec.operations = operations_of(declaration.options);
    spec.manner = manner_of(spec.target, TRIGGER_FIRED_FOR_ROW(trigger.tg_event) ? declaration.options : options_of_sync(trigger, spec.target));
    if (TRIGGER_FIRED_FOR_ROW(trigger.tg_event)) {
        const auto key = key_of(relation, declaration.options);
        if (key.empty())
            return;
        for (const AttrNumber number : key) {
            const Oid type = TupleDescAttr(RelationGetDescr(relation), number - 1)->atttypid;
            KeyPart part{number, {}};
            pg::Canonical *const form = &part.form;
            pg::call([form, type] { *form = pg::Canonical{type}; });
            spec.key.push_back(part);
        }
        spec.used = used_columns(relation, declaration.options, key);
        if (const auto condition = config::removal_condition(declaration.options); !condition.empty())
            spec.removes = std::make_shared<LastState>(condition, spec.table, RelationGetDescr(relation)->tdtypeid);
        spec.carries = carries_of(spec.target, declaration.options);
        if (spec.carries != outbox::Carries::keys)
            spec.row = std::make_shared<pg::RowJson>(RelationGetDescr(relation), spec.used);
    } else {
        spec.carries = carries_of(spec.target, options_of_sync(trigger, spec.target));
    }
    spec.active = true;
}

} // namespace

bool is_enabled(const std::string &target, const Options &options)
{
    const auto enabled = options.find("enabled");
    if (enabled != options.end() && !config::parse_boolean(enabled->second))
        return false;
    const char *const value = server_option(target, "enabled");
    return value == nullptr || config::parse_boolean(value);
}

Manner manner_of(const std::string &target, const Options &options)
{
    const auto value_of = [&](const char *name) -> const char * {
        const auto declared = options.find(name);
        return declared == options.end() ? server_option(target, name) : declared->second.c_str();
    };
    const char *const delivery = value_of("delivery");
    const char *const debounce = value_of("debounce");
    const auto does = [](const char *word) { return strcmp(word, "wait") == 0 ? config::wait_for_delivery : strcmp(word, "sync") == 0 ? config::deliver_before : 0; };
    return {static_cast<std::int8_t>(delivery == nullptr ? -1 : does(delivery)),
            static_cast<std::int8_t>(debounce == nullptr ? -1 : config::parse_duration(debounce).count() > 0 ? 1 : 0)};
}

AttrNumber attribute(TupleDesc shape, std::string_view name)
{
    for (int i = 0; i < shape->natts; ++i)
        if (const auto *const column = TupleDescAttr(shape, i); !column->attisdropped && name == NameStr(column->attname))
            return column->attnum;
    return InvalidAttrNumber;
}

Oid declaring_table(Oid trigger, Oid relation)
{
    return pg::call([trigger, relation] {
        Oid table = relation;
        Relation const catalog = table_open(TriggerRelationId, AccessShareLock);
        for (Oid at = trigger; OidIsValid(at);) {
            ScanKeyData key;
            ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(at));
            SysScanDesc const scan = systable_beginscan(catalog, TriggerOidIndexId, true, nullptr, 1, &key);
            HeapTuple const tuple = systable_getnext(scan);
            at = InvalidOid;
            if (HeapTupleIsValid(tuple)) {
                const auto *const row = reinterpret_cast<Form_pg_trigger>(GETSTRUCT(tuple));
                table = row->tgrelid;
                at = row->tgparentid;
            }
            systable_endscan(scan);
        }
        table_close(catalog, AccessShareLock);
        return table;
    });
}

Spec &spec_of(const TriggerData &trigger)
{
    if (cache == nullptr)
        watch_catalogs();
    if (stale) {
        stale = false;
        cache->clear();
    }
    auto &slot = (*cache)[trigger.tg_trigger->tgoid];
    if (slot == nullptr) {
        auto fresh = std::make_unique<Spec>();
        try {
            build(*fresh, trigger);
        } catch (const pg::Error &) {
            cache->erase(trigger.tg_trigger->tgoid);
            throw; // a PostgreSQL error (out of memory, a cancel) is the transaction's own
        } catch (const std::exception &) {
            fresh->active = false; // malformed since its declaration: not the user's statement's fault
        }
        slot = std::move(fresh);
    }
    return *slot;
}

} // namespace autosync::capture
