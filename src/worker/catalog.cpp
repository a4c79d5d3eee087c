#include "worker/catalog.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "config/options.hpp"
#include "declaration/dependency.hpp"
#include "declaration/embedder.hpp"
#include "outbox/forgotten.hpp"
#include "outbox/word.hpp"
#include "pg/spi.hpp"
#include "targets/history.hpp"
#include "targets/qdrant_mapping.hpp"
#include "worker/drift.hpp"
#include "worker/lane.hpp"
#include "worker/listen.hpp"
#include "worker/rebuild.hpp"
#include "worker/rewrites.hpp"
#include "worker/shape.hpp"

namespace autosync::worker {

namespace {

bool is_stale = true;
bool is_suspect = true;
bool left_out = false; // load() could not write something down
bool restored = false; // all dependencies that should be there are
std::vector<Oid> *relied_on = nullptr; // synced tables and their partitions, sorted; for the callbacks, so never destroyed

/// Temporary tables come and go all the time: only what is synced makes reading wait.
void relation_changed(Datum, Oid relation)
{
    is_suspect = true;
    is_stale = is_stale || !OidIsValid(relation) || relied_on == nullptr || std::binary_search(relied_on->begin(), relied_on->end(), relation);
}
void target_or_schema_changed(Datum, int, uint32) { is_stale = true; }
void function_changed(Datum, int, uint32) { is_suspect = true; }

void watch()
{
    static bool watching = false;
    if (watching)
        return;
    watching = true;
    pg::call([] {
        CacheRegisterRelcacheCallback(relation_changed, Datum{0});
        for (const SysCacheIdentifier cache : {FOREIGNSERVEROID, FOREIGNDATAWRAPPEROID, USERMAPPINGOID, NAMESPACEOID})
            CacheRegisterSyscacheCallback(cache, target_or_schema_changed, Datum{0});
        CacheRegisterSyscacheCallback(PROCOID, function_changed, Datum{0});
    });
}

bool may_use(const config::Sync &sync, const config::Target &target)
{
    return pg::execute_one("SELECT has_server_privilege($1::oid, $2::oid, 'USAGE')", {std::to_string(sync.owner), std::to_string(target.server)}) == "t";
}

/// What the worker writes down here, a session may have locked for as long as its transaction lasts: then it is done another time, as where
/// `body` says so.
template <typename Body>
void unless_locked(Body &&body)
{
    bool done = true;
    try {
        pg::subtransaction([&] { done = body(); });
    } catch (const pg::Error &error) {
        if (error.sqlstate() != ERRCODE_LOCK_NOT_AVAILABLE)
            throw;
        done = false;
    }
    is_suspect = is_suspect || !done;
    left_out = left_out || !done;
}

/// Such a target is told what happened: what DDL does to rows is no event, and it holds nothing that could be compared.
bool told_of_events(const config::Sync &sync)
{
    const char *const name = sync.target.c_str();
    const Oid server = pg::call([name] { return get_foreign_server_oid(name, true); });
    return OidIsValid(server) && targets::keeps_history(config::kind_of_server(server), sync.options);
}

/// Other collections, models, servers: what was prepared under other ones does not count.
std::string conditions(const config::Target &target)
{
    const auto &server = target.description;
    std::string text = config::options_to_json(server.options);
    if (server.embedder)
        text += "\n" + server.embedder->model + "\n" + std::to_string(server.embedder->dimensions);
    return text;
}

bool give_access(Destination &destination, Oid owner, Oid role)
{
    auto target = config::load_target(destination.name, role);
    if (!target)
        return false;
    target->description.vectors = destination.vectors;
    destination.access[owner] = std::move(*target);
    return true;
}

/// What is kept about a sync that is declared no more goes with it.
void forget(std::int64_t instance, const std::string &target, const std::string &source)
{
    for (const char *const statement : {"DELETE FROM autosync.sync_state WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid",
                                        "DELETE FROM autosync.token_use WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid",
                                        "DELETE FROM autosync.exceptions WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid",
                                        "DELETE FROM autosync.behind WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid",
                                        "DELETE FROM autosync.jobs WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid AND kind <> 'purge'"})
        pg::execute(statement, {std::to_string(instance), target, source});
}

} // namespace

const config::Target *Destination::access_of(const Declared &declared) const
{
    const auto found = access.find(declared.sync.owner);
    return found == access.end() ? nullptr : &found->second;
}

std::shared_ptr<Declared> Destination::find(Oid table) const
{
    for (const auto &declared : syncs) {
        if (declared->sync.table == table)
            return declared;
    }
    return table == outbox::words_source ? words : nullptr;
}

Catalog::Catalog() { watch(); }

bool Catalog::stale() noexcept { return is_stale; }

bool Catalog::suspect() noexcept { return is_suspect; }

void Catalog::invalidate() noexcept { is_stale = true; }

const Destination *Catalog::find(const std::string &target) const
{
    const auto found = destinations_.find(target);
    return found == destinations_.end() ? nullptr : &found->second;
}

std::shared_ptr<Declared> Catalog::declare(std::int64_t instance, config::Sync sync, const Destination *before, const config::Target &target) const
{
    auto declared = std::make_shared<Declared>();
    declared->budget = load_budget(instance, sync);
    declared->lane = lane_of(sync);
    declared->problem = sync.problem.empty() ? target.problem : sync.problem;
    if (declared->problem.empty() && !may_use(sync, target))
        declared->problem = "the owner of the table has no USAGE privilege on the target";
    for (const auto &column : sync.key)
        declared->key_parts.push_back({column.name, column.type == INT2OID || column.type == INT4OID || column.type == INT8OID});
    declared->removes = sync.problem.empty() && removes(sync);
    declared->history = target.kind != nullptr && targets::keeps_history(target.kind->kind(), sync.options);
    if (declared->history) { // parents may be others by the time an event is told
        sync.links.clear();
        sync.source.links.clear();
    }
    if (declared->problem.empty()) {
        try {
            declared->mapping = target.kind->compile(sync.source);
        } catch (const std::invalid_argument &error) {
            declared->problem = error.what();
        }
    }
    const auto old = before == nullptr ? nullptr : before->find(sync.table);
    declared->conditions = conditions(target);
    if (old != nullptr && old->reader != nullptr && old->reader->fits(sync)) {
        declared->reader = std::move(old->reader);
        declared->as_before = old->conditions == declared->conditions && old->sync.options == sync.options &&
                              old->sync.source.options == sync.source.options && shape(old->sync) == shape(sync);
        declared->prepared = old->prepared && !old->unfit && declared->as_before;
    }
    declared->sync = std::move(sync);
    return declared;
}

void Catalog::rely_on_tables() const
{
    std::vector<Oid> tables;
    for (const auto &[name, destination] : destinations_) {
        for (const auto &declared : destination.syncs) {
            tables.push_back(declared->sync.table);
            if (!declared->sync.partitioned)
                continue;
            // pg_partition_tree() would wait for whoever has a partition locked.
            for (const auto &row : pg::execute("WITH RECURSIVE tree (oid) AS (SELECT $1::oid UNION ALL SELECT i.inhrelid FROM tree"
                                               " JOIN pg_catalog.pg_inherits AS i ON i.inhparent = tree.oid) SELECT oid FROM tree",
                                               {std::to_string(declared->sync.table)}))
                tables.push_back(static_cast<Oid>(std::stoul(row[0].value_or("0"))));
        }
    }
    std::sort(tables.begin(), tables.end());
    if (relied_on == nullptr)
        relied_on = new std::vector<Oid>; // NOLINT: the callbacks outlive us
    *relied_on = std::move(tables);
}

bool Catalog::load(std::int64_t instance)
{
    const auto rewrites = noted_rewrites();
    left_out = false;
    is_stale = false; // whatever changes from here on is looked at next time
    is_suspect = false;
    std::map<std::string, Destination> fresh;
    for (const auto &name : config::target_names())
        fresh[name].exists = true;
    std::map<std::pair<std::string, std::string>, pg::Cell> signatures;
    // Work for a sync that was dropped before anything was read of it has no signature.
    for (const auto &row : pg::execute("SELECT target, source, signature FROM autosync.sync_state WHERE instance = $1::int8 UNION ALL"
                                       " (SELECT target, source, NULL FROM autosync.jobs WHERE instance = $1::int8 AND kind <> 'purge'"
                                       " UNION SELECT target, source, NULL FROM autosync.exceptions WHERE instance = $1::int8"
                                       " EXCEPT SELECT target, source, NULL FROM autosync.sync_state WHERE instance = $1::int8)",
                                       {std::to_string(instance)}))
        signatures[{row[0].value_or(""), row[1].value_or("")}] = row[2];
    for (auto &[name, destination] : fresh) {
        destination.name = name;
        const auto *const before = find(name);
        destination.vectors = before == nullptr ? std::make_shared<embed::Cache>() : before->vectors;
        give_access(destination, InvalidOid, pg::extension_owner());
        listen(destination);
        if (!restored)
            unless_locked([&, &server = name] { return declaration::restore_embedder(server); });
    }
    for (const auto &[target, table] : outbox::tables_forgotten(instance))
        if (const auto found = fresh.find(target); found != fresh.end())
            found->second.forgotten.insert(table);
    const auto rebuilds = load_rebuilds(instance);
    for (auto &sync : config::load_syncs()) {
        const auto found = fresh.find(sync.target);
        if (found == fresh.end())
            continue; // the server is gone or renamed: health() says so
        auto &destination = found->second;
        if (!destination.access.contains(sync.owner) && !give_access(destination, sync.owner, sync.owner))
            continue;
        if (const auto rebuild = rebuilds.find({sync.target, sync.table}); rebuild != rebuilds.end())
            sync.source.options[std::string{targets::qdrant::rebuild_option}] = rebuild->second;
        const auto state = signatures.extract({sync.target, std::to_string(sync.table)});
        if (sync.problem.empty() && !told_of_events(sync))
            unless_locked([&] { return note_drift(instance, sync, state.empty() ? pg::Cell{} : state.mapped()); });
        const auto owner = sync.owner;
        if (!restored)
            unless_locked([&] { return declaration::restore_dependency({TriggerRelationId, sync.trigger, sync.table}, destination.access.at(owner).server); });
        destination.syncs.push_back(declare(instance, std::move(sync), find(found->first), destination.access.at(owner)));
    }
    for (const auto &[sync, signature] : signatures) {
        const auto &[target, table] = sync;
        if (table == std::to_string(outbox::words_source) && fresh.contains(target) && fresh.at(target).words != nullptr)
            continue;
        if (signature || !config::load_sync(static_cast<Oid>(std::stoul(table)), target)) // declared this moment, perhaps
            unless_locked([&, &name = target, &source = table] {
                forget(instance, name, source);
                return true;
            });
    }
    if (!left_out)
        forget_rewrites(rewrites);
    restored = restored || !left_out;
    destinations_ = std::move(fresh);
    rely_on_tables();
    return !left_out;
}

} // namespace autosync::worker
