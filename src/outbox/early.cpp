#include "outbox/early.hpp"

#include "outbox/members.hpp"
#include "pg/spi.hpp"

namespace autosync::outbox {

namespace {

std::string list_of(const std::vector<Early> &entities)
{
    return array_of(entities, [](std::string &out, const Early &entity) {
        append_field(out, "source", std::to_string(entity.source));
        append_exact(out, "key", entity.key);
        append_field(out, "operation", entity.made ? "delete" : "update"); // a deletion's mark removes what is not there, whatever the sync says of deletions
    });
}

} // namespace

std::string early_mark(std::uint64_t xid) { return early_prefix + std::to_string(xid); }

bool note_early(std::int64_t instance, const std::string &target, const std::string &mark, const std::vector<Early> &entities)
{
    // Whoever is gone forgets them after the five minutes at the latest; a worker that begins looks at once.
    const auto noted = pg::execute_one("WITH noted AS (INSERT INTO autosync.exceptions AS x (instance, target, source, key, event_id, operation, verb, status, attempts,"
                                       " created_at, updated_at, next_attempt_at)"
                                       " SELECT $1::int8, $2::name, e.source, e.key, $4, e.operation, 'confirm', 'PENDING', 0, clock_timestamp(), clock_timestamp(),"
                                       " clock_timestamp() + interval '5 min' FROM jsonb_to_recordset($3::jsonb) AS e (source oid, key text, operation text)"
                                       " ON CONFLICT (instance, target, source, key) DO UPDATE SET event_id = excluded.event_id, operation = excluded.operation,"
                                       " updated_at = excluded.updated_at, next_attempt_at = excluded.next_attempt_at"
                                       " WHERE x.verb = 'confirm' AND x.status = 'PENDING' AND x.event_id LIKE '" + std::string{early_prefix} + "%'"
                                       " RETURNING 1) SELECT count(*) FROM noted",
                                       {std::to_string(instance), target, list_of(entities), mark});
    return noted && std::stoull(*noted) == entities.size();
}

void drop_early(std::int64_t instance, const std::string &target, const std::string &mark)
{
    pg::execute("DELETE FROM autosync.exceptions WHERE instance = $1::int8 AND target = $2::name AND event_id = $3 AND verb = 'confirm'",
                {std::to_string(instance), target, mark});
}

bool hasten_early(std::int64_t instance, const std::string &target, const std::string &mark)
{
    return !pg::execute("UPDATE autosync.exceptions SET next_attempt_at = clock_timestamp(), updated_at = clock_timestamp()"
                        " WHERE instance = $1::int8 AND target = $2::name AND verb = 'confirm' AND event_id LIKE $3 RETURNING 1",
                        {std::to_string(instance), target, mark.empty() ? std::string{early_prefix} + "%" : mark})
                .empty();
}

} // namespace autosync::outbox
