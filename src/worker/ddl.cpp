#include "worker/ddl.hpp"

#include <string_view>

namespace autosync::worker {

namespace {

bool temporary(const RangeVar *name)
{
    return pg::call([name] {
        const Oid relation = RangeVarGetRelid(name, NoLock, true);
        return OidIsValid(relation) && get_rel_persistence(relation) == RELPERSISTENCE_TEMP;
    });
}

bool all_temporary(const List *names)
{
    ListCell *cell = nullptr;
    foreach (cell, names) {
        if (!temporary(static_cast<const RangeVar *>(lfirst(cell))))
            return false;
    }
    return true;
}

/// Names of a DROP TABLE, as lists of their parts.
bool all_dropped_temporary(const List *names)
{
    ListCell *cell = nullptr;
    foreach (cell, names) {
        auto *const parts = static_cast<List *>(lfirst(cell));
        if (!temporary(pg::call([parts] { return makeRangeVarFromNameList(parts); })))
            return false;
    }
    return true;
}

bool look_at(const Node *statement)
{
    switch (nodeTag(statement)) {
    case T_AlterTableStmt:
        return !temporary(reinterpret_cast<const AlterTableStmt *>(statement)->relation);
    case T_TruncateStmt:
        return !all_temporary(reinterpret_cast<const TruncateStmt *>(statement)->relations);
    case T_CreateStmt: {
        const auto *const create = reinterpret_cast<const CreateStmt *>(statement);
        return create->partbound != nullptr;
    }
    case T_DropStmt: {
        const auto *const drop = reinterpret_cast<const DropStmt *>(statement);
        return drop->removeType != OBJECT_TABLE || !all_dropped_temporary(drop->objects);
    }
    case T_RenameStmt: {
        const auto *const rename = reinterpret_cast<const RenameStmt *>(statement);
        return rename->renameType != OBJECT_DATABASE && (rename->relation == nullptr || !temporary(rename->relation));
    }
    case T_AlterObjectSchemaStmt: // names are part of what is delivered
    case T_DropOwnedStmt:
        return true;
    default:
        return false;
    }
}

} // namespace

/// The tags first: every BEGIN and COMMIT passes here.
bool changes_unnoticed(const Node *statement)
{
    switch (nodeTag(statement)) {
    case T_AlterTableStmt:
    case T_TruncateStmt:
    case T_CreateStmt:
    case T_DropStmt:
    case T_RenameStmt:
    case T_AlterObjectSchemaStmt:
    case T_DropOwnedStmt:
        return pg::guard([statement] { return look_at(statement); });
    default:
        return false;
    }
}

bool copies_rows(const Node *statement) noexcept
{
    if (IsA(statement, VacuumStmt) || IsA(statement, ClusterStmt))
        return true;
    if (!IsA(statement, AlterTableStmt))
        return false;
    ListCell *cell = nullptr;
    foreach (cell, reinterpret_cast<const AlterTableStmt *>(statement)->cmds) {
        switch (static_cast<const AlterTableCmd *>(lfirst(cell))->subtype) {
        case AT_SetUnLogged:
        case AT_SetTableSpace:
        case AT_SetAccessMethod:
            break;
        default:
            return false;
        }
    }
    return true;
}

bool dropped_meanwhile(const pg::Error &error)
{
    const std::string_view message = error.what();
    return error.sqlstate() == ERRCODE_INTERNAL_ERROR &&
           (message.starts_with("cache lookup failed") || message.starts_with("could not open relation"));
}

bool passes(const pg::Error &error)
{
    switch (error.sqlstate()) {
    case ERRCODE_LOCK_NOT_AVAILABLE:
    case ERRCODE_UNDEFINED_TABLE:
    case ERRCODE_UNDEFINED_OBJECT:
    case ERRCODE_INVALID_SCHEMA_NAME:
        return true;
    default:
        return dropped_meanwhile(error);
    }
}

} // namespace autosync::worker
