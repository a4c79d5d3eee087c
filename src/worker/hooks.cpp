// What the worker must know of statements: those that need a database to themselves, and those that give it work.
#include <string_view>

#include "outbox/rewrites.hpp"
#include "worker/hooks.hpp"
#include "worker/ddl.hpp"
#include "worker/slots.hpp"

#include "pg/bridge.hpp"

namespace autosync::worker {

namespace {

constexpr long eviction_ms = 5'000; ///< how long a statement waits for a worker to be gone
constexpr long courtesy_ms = 300;   ///< how long the worker may take to notice by itself
constexpr long look_ms = 5;

ProcessUtility_hook_type next_utility = nullptr;

/// What is left to do when the transaction ends.
struct Pending {
    bool wake;     ///< this database gets, or loses, the extension, or what is synced may have changed
    bool rescan;   ///< databases have come or changed
    bool evicting; ///< some slot carries our mark
    Oid dropped;
    Oid renewed; ///< its settings have changed
};
Pending pending;
bool waking = false; ///< committed, but others do not hear of changed catalogs before the locks are released

/// What is left to do when the statement has run.
struct Aftermath {
    bool wake;
    bool look_for_extension;
};

void finish(const Pending &done, bool committed) noexcept
{
    waking = committed && done.wake;
    if (done.evicting || done.dropped != InvalidOid || done.renewed != InvalidOid) {
        const Locked lock{LW_EXCLUSIVE};
        for (auto &slot : shared()->databases) {
            if (slot.database == InvalidOid)
                continue;
            if (done.evicting && slot.evicted_by == MyProcPid)
                slot.evicted_by = 0;
            if (!committed)
                continue;
            if (slot.database == done.renewed) {
                slot.renew = true;
                if (slot.latch != nullptr)
                    SetLatch(slot.latch);
            }
            if (slot.database == done.dropped && slot.worker == 0)
                free_slot(slot);
        }
    }
    if (done.evicting || done.rescan)
        alert_launcher(committed && done.rescan);
}

/// The worker is woken when it can hear of what has changed and lock it: not before.
void at_release(ResourceReleasePhase phase, bool /* committed */, bool top_level, void * /* argument */)
{
    if (!waking || !top_level || phase != RESOURCE_RELEASE_AFTER_LOCKS)
        return;
    waking = false;
    wake(MyDatabaseId);
}

void at_transaction_end(XactEvent event, void * /* argument */)
{
    if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
        return;
    const Pending done = pending;
    pending = Pending{};
    if (done.wake || done.rescan || done.evicting || done.renewed != InvalidOid)
        finish(done, event == XACT_EVENT_COMMIT);
}

/// The list of things to do at the end of the transaction; from now on somebody looks at it.
Pending &agenda()
{
    static bool registered = false;
    if (!registered) {
        pg::call([] {
            RegisterXactCallback(at_transaction_end, nullptr);
            RegisterResourceReleaseCallback(at_release, nullptr);
        });
        registered = true;
    }
    return pending;
}

bool owns(Oid database)
{
    return pg::call([database] {
#if PG_VERSION_NUM >= 160000
        return object_ownercheck(DatabaseRelationId, database, GetUserId());
#else
        return object_ownercheck(DatabaseRelationId, database, GetUserId());
#endif
    });
}

Oid database_named(const char *name)
{
    return pg::call([name] { return get_database_oid(name, true); });
}

/// Puts our mark on a database, so that no worker starts there until the transaction ends; the worker that must go first.
pid_t mark(Oid database)
{
    const Locked lock{LW_EXCLUSIVE};
    auto *const slot = slot_of(database);
    if (slot == nullptr)
        return 0;
    slot->evicted_by = MyProcPid;
    if (slot->latch != nullptr)
        SetLatch(slot->latch);
    return slot->worker;
}

/// Makes a database free of its worker, so that a statement that needs it alone does not fail. Of no effect for who does not own it.
void evict(const char *name)
{
    const Oid database = database_named(name);
    if (database == InvalidOid || database == MyDatabaseId || !owns(database))
        return;
    agenda().evicting = true;
    const pid_t worker = mark(database);
    if (worker == 0)
        return;
    const TimestampTz began = GetCurrentTimestamp();
    bool signalled = false;
    while (BackendPidGetProc(worker) != nullptr) {
        const long waited = TimestampDifferenceMilliseconds(began, GetCurrentTimestamp());
        if (waited >= eviction_ms)
            return; // the statement itself says who is in the way
        if (waited >= courtesy_ms && !signalled) {
            signalled = true;
            kill(worker, SIGTERM);
        }
        pg::call([] {
            (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, look_ms, PG_WAIT_EXTENSION);
            ResetLatch(MyLatch);
            CHECK_FOR_INTERRUPTS();
        });
    }
}

const char *template_of(const CreatedbStmt *statement)
{
    return pg::call([statement]() -> const char * {
        ListCell *cell = nullptr;
        foreach (cell, statement->options) {
            auto *const option = lfirst_node(DefElem, cell);
            if (strcmp(option->defname, "template") == 0 && option->arg != nullptr)
                return defGetString(option);
        }
        return "template1";
    });
}

bool moves(const AlterDatabaseStmt *statement)
{
    ListCell *cell = nullptr;
    foreach (cell, statement->options) {
        if (strcmp(static_cast<const DefElem *>(lfirst(cell))->defname, "tablespace") == 0)
            return true;
    }
    return false;
}

/// Statements on databases: before they run.
void prepare(const Node *statement)
{
    switch (nodeTag(statement)) {
    case T_DropdbStmt: {
        const auto *const drop = reinterpret_cast<const DropdbStmt *>(statement);
        evict(drop->dbname);
        agenda().dropped = database_named(drop->dbname);
        agenda().rescan = true;
        break;
    }
    case T_CreatedbStmt:
        evict(template_of(reinterpret_cast<const CreatedbStmt *>(statement)));
        agenda().rescan = true;
        break;
    case T_RenameStmt:
        evict(reinterpret_cast<const RenameStmt *>(statement)->subname);
        break;
    case T_AlterDatabaseStmt: {
        const auto *const alter = reinterpret_cast<const AlterDatabaseStmt *>(statement);
        if (moves(alter))
            evict(alter->dbname);
        agenda().rescan = true;
        break;
    }
    case T_AlterDatabaseSetStmt: {
        const auto *const alter = reinterpret_cast<const AlterDatabaseSetStmt *>(statement);
        const char *const name = alter->setstmt->name;
        if (name == nullptr || std::string_view{name}.starts_with("autosync."))
            agenda().renewed = database_named(alter->dbname);
        break;
    }
    default:
        break;
    }
}

/// Which statements matter, told apart with as little as can be: every BEGIN and COMMIT passes here.
bool concerns_databases(const Node *statement)
{
    switch (nodeTag(statement)) {
    case T_DropdbStmt:
    case T_CreatedbStmt:
    case T_AlterDatabaseStmt:
    case T_AlterDatabaseSetStmt:
        return true;
    case T_RenameStmt:
        return reinterpret_cast<const RenameStmt *>(statement)->renameType == OBJECT_DATABASE;
    default:
        return false;
    }
}

Aftermath aftermath_of(const Node *statement)
{
    switch (nodeTag(statement)) {
    case T_TransactionStmt:
        return {reinterpret_cast<const TransactionStmt *>(statement)->kind == TRANS_STMT_COMMIT_PREPARED, false};
    case T_CreateExtensionStmt:
        return {false, true};
    case T_DropStmt:
        return {false, reinterpret_cast<const DropStmt *>(statement)->removeType == OBJECT_EXTENSION};
    default:
        return {false, false};
    }
}

bool has_extension()
{
    return pg::call([] { return get_extension_oid("autosync", true) != InvalidOid; });
}

void process_utility(PlannedStmt *planned, const char *text, bool read_only_tree, ProcessUtilityContext context, ParamListInfo parameters,
                     QueryEnvironment *environment, DestReceiver *destination, QueryCompletion *completion)
{
    const Node *const statement = planned->utilityStmt;
    const Aftermath after = aftermath_of(statement);
    const bool unnoticed = changes_unnoticed(statement);
    if (concerns_databases(statement))
        pg::guard([statement] { prepare(statement); });
    const bool had_extension = after.look_for_extension && pg::guard([] { return has_extension(); });
    const auto next = next_utility != nullptr ? next_utility : standard_ProcessUtility;
    const bool outer = outbox::copying();
    outbox::copying(copies_rows(statement)); // also after an error: whatever makes new files comes by here
    next(planned, text, read_only_tree, context, parameters, environment, destination, completion);
    outbox::copying(outer);
    if (after.wake)
        wake(MyDatabaseId); // the changes of a prepared transaction left no trace in this session
    if (after.look_for_extension)
        pg::guard([had_extension] {
            if (has_extension() != had_extension)
                agenda().wake = true;
        });
    if (unnoticed)
        pg::guard([] {
            if (has_extension())
                agenda().wake = true;
        });
}

} // namespace

void install_hooks()
{
    if (!process_shared_preload_libraries_in_progress)
        return;
    next_utility = ProcessUtility_hook;
    ProcessUtility_hook = process_utility;
    outbox::watch_files();
}

} // namespace autosync::worker
