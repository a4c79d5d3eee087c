#include "declaration/adoption.hpp"

#include <string>

#include "capture/wake.hpp"
#include "config/catalog.hpp"
#include "config/settings.hpp"
#include "declaration/jobs.hpp"
#include "outbox/identity.hpp"
#include "pg/spi.hpp"

namespace autosync::declaration {

namespace {

std::string system_identifier() { return std::to_string(static_cast<std::int64_t>(GetSystemIdentifier())); }

std::int64_t new_instance_id()
{
    return pg::call([] {
        std::int64_t id = 0;
        while (id <= 0) {
            if (!pg_strong_random(&id, sizeof(id)))
                pg::fail(ERRCODE_INTERNAL_ERROR, "could not generate random values");
            id &= PG_INT64_MAX;
        }
        return id;
    });
}

/// What earlier instances left behind belongs to nobody; versions go on rising from theirs.
void begin_instance(const std::string &id)
{
    pg::execute("DELETE FROM autosync.instance");
    pg::execute("INSERT INTO autosync.instance (id, system_identifier, database, name, adopted_at) VALUES ($1::int8, $2::int8, $3::oid, $4, "
                "clock_timestamp())",
                {id, system_identifier(), std::to_string(MyDatabaseId), config::settings.instance_id});
    pg::execute("INSERT INTO autosync.clock (instance, reserved) SELECT $1::int8, max(reserved) FROM autosync.clock HAVING max(reserved) IS NOT NULL",
                {id});
    // Which records the rows are cannot be found out again, nor what was decided by hand: that goes on where it was restored.
    for (const auto *const table : {"atp_map", "atp_owners", "forgotten"})
        pg::execute("UPDATE autosync." + std::string{table} + " SET instance = $1::int8 WHERE instance <> $1::int8", {id});
    for (const auto *const table : {"atp_store", "exceptions", "jobs", "sync_state", "target_state", "token_use", "clock"})
        pg::execute("DELETE FROM autosync." + std::string{table} + " WHERE instance <> $1::int8", {id});
}

} // namespace

bool owns_database()
{
    return pg::call([] { return object_ownercheck(DatabaseRelationId, MyDatabaseId, GetUserId()); });
}

void adopt()
{
    const auto known = outbox::identity();
    if (known && known->adopted)
        return;
    if (known && !owns_database()) {
        pg::report(NOTICE, ERRCODE_SUCCESSFUL_COMPLETION, "this database is a copy and does not deliver", {},
                   "Its owner can run SELECT autosync.adopt_database().");
        return;
    }
    bool begun = false;
    {
        const pg::ActingAs owner{pg::extension_owner(), false};
        // pg_upgrade and a change of autosync.instance_id keep the database's oid; a copy made by CREATE DATABASE … TEMPLATE has one of its own.
        const auto kept = pg::execute_one("UPDATE autosync.instance SET system_identifier = $1::int8, name = $2, adopted_at = clock_timestamp() "
                                          "WHERE database = $3::oid RETURNING id",
                                          {system_identifier(), config::settings.instance_id, std::to_string(MyDatabaseId)});
        begun = !kept;
        if (begun)
            begin_instance(std::to_string(new_instance_id()));
    }
    outbox::identity_changed();
    if (begun) {
        config::Catalog catalog;
        for (const auto &trigger : catalog.triggers())
            if (TRIGGER_FOR_ROW(trigger.type)) {
                request_job(trigger.declaration.target, trigger.table, Job::backfill, "adopt_database");
                request_job(trigger.declaration.target, trigger.table, Job::sweep, "adopt_database");
            }
    }
    capture::wake_at_commit();
}

void notice_unless_adopted()
{
    const auto known = outbox::identity();
    if (known && known->adopted)
        return;
    pg::report(NOTICE, ERRCODE_SUCCESSFUL_COMPLETION, "this database captures and delivers nothing yet",
               known ? "It is a copy, or autosync.instance_id has changed." : "It has not been adopted.",
               "Run SELECT autosync.adopt_database() when it is the one that is to deliver.");
}

} // namespace autosync::declaration

using namespace autosync;

AUTOSYNC_SQL(autosync_adopt_database)
{
    if (!declaration::owns_database())
        throw pg::Failure{ERRCODE_INSUFFICIENT_PRIVILEGE, "must be owner of the database to adopt it"};
    declaration::adopt();
    PG_RETURN_VOID();
}
