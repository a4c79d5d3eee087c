#include "declaration/jobs.hpp"

#include "capture/wake.hpp"
#include "config/json.hpp"
#include "outbox/identity.hpp"
#include "pg/spi.hpp"

namespace autosync::declaration {

namespace {

constexpr const char *names[] = {"backfill", "sweep", "purge"};

std::string current_user()
{
    return pg::call([] { return GetUserNameFromId(GetUserId(), false); });
}

void request(const std::string &target, Oid table, Job job, const std::string &reason, const pg::Cell &options)
{
    const auto instance = outbox::instance_id();
    if (!instance)
        return;
    const std::string caller = current_user();
    const pg::ActingAs owner{pg::extension_owner(), false};
    // What a purge still under way was to remove is what the target holds: its options stay.
    pg::execute("INSERT INTO autosync.jobs AS j (instance, target, source, kind, options, reason, requested_by, requested_at) "
                "VALUES ($1::int8, $2::name, $3::oid, $4, $5::jsonb, $6, $7::name, clock_timestamp()) "
                "ON CONFLICT (instance, target, source, kind) DO UPDATE SET where_clause = NULL, \"position\" = NULL, total = NULL, done = 0, "
                "started_at = NULL, "
                "updated_at = NULL, reason = excluded.reason, requested_by = excluded.requested_by, requested_at = excluded.requested_at",
                {std::to_string(*instance), target, std::to_string(table), names[static_cast<std::size_t>(job)], options, reason, caller});
    capture::wake_at_commit();
}

} // namespace

void request_job(const std::string &target, Oid table, Job job, const std::string &reason) { request(target, table, job, reason, {}); }

void request_purge(const std::string &target, Oid table, const std::string &source, const config::Options &options, const std::string &reason)
{
    const auto body = nlohmann::ordered_json{{"source", source}, {"options", nlohmann::ordered_json::parse(config::options_to_json(options))}};
    request(target, table, Job::purge, reason, body.dump());
}

void forget_sync(const std::string &target, Oid table)
{
    const pg::ActingAs owner{pg::extension_owner(), false};
    for (const auto *const relation : {"jobs", "exceptions", "behind", "sync_state", "token_use"})
        pg::execute("DELETE FROM autosync." + std::string{relation} + " WHERE target = $1::name AND source = $2::oid",
                    {target, std::to_string(table)});
}

} // namespace autosync::declaration
