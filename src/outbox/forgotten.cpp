#include "outbox/forgotten.hpp"

#include <map>

#include "embed/hash.hpp"
#include "outbox/history.hpp"
#include "pg/spi.hpp"

namespace autosync::outbox {

namespace {

Oid oid_of(const pg::Cell &cell) { return static_cast<Oid>(std::stoul(cell.value_or("0"))); }

} // namespace

void note_forgotten(std::int64_t instance, const std::string &target, Oid source, const std::string &source_name, const std::string &key,
                    const std::string &event_id)
{
    const std::vector<pg::Cell> which{std::to_string(instance), target, std::to_string(source), embed::sha256(key)};
    pg::execute("DELETE FROM autosync.forgotten AS f WHERE NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = f.source)");
    pg::execute("INSERT INTO autosync.forgotten (instance, target, source, key, since) VALUES ($1::int8, $2::name, $3::oid, $4, clock_timestamp())"
                " ON CONFLICT DO NOTHING",
                which);
    // The row of a dead letter may hold a request and an answer that speak of it.
    pg::execute("INSERT INTO autosync.exceptions AS x (instance, target, source, key, event_id, operation, verb, status, attempts, created_at, updated_at,"
                " next_attempt_at) VALUES ($1::int8, $2::name, $3::oid, $4, $5, 'unpublish', 'unpublish', 'PENDING', 0, clock_timestamp(), clock_timestamp(),"
                " clock_timestamp())"
                " ON CONFLICT (instance, target, source, key) DO UPDATE SET event_id = excluded.event_id, operation = excluded.operation,"
                " verb = excluded.verb, status = excluded.status, attempts = 0, last_error = NULL, request = NULL, answer = NULL, correlation_id = NULL,"
                " origin = NULL, did = NULL, created_at = excluded.created_at, updated_at = excluded.updated_at, next_attempt_at = excluded.next_attempt_at,"
                " expires_at = NULL, parent = NULL, parent_key = NULL",
                {which[0], which[1], which[2], key, event_id});
    pg::execute("DELETE FROM autosync.atp_owners WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid AND key = $4",
                {which[0], which[1], which[2], key});
    pg::execute("DELETE FROM autosync.behind WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid AND key = $4", {which[0], which[1], which[2], key});
    erase_history(instance, target, source, key);
    // Of autosync_test: all that it ever received.
    pg::execute("UPDATE autosync.sent SET document = NULL WHERE target = $1::name AND source = $2 AND key = $3 AND document IS NOT NULL", {target, source_name, key});
}

void recall(const std::string &instance, const std::string &target, Oid source, const std::string &key)
{
    pg::execute("DELETE FROM autosync.forgotten WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid AND key = $4",
                {instance, target, std::to_string(source), embed::sha256(key)});
}

bool is_forgotten(std::int64_t instance, const std::string &target, Oid source, const std::string &key)
{
    return pg::execute_one("SELECT 1 FROM autosync.forgotten WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid AND key = $4",
                           {std::to_string(instance), target, std::to_string(source), embed::sha256(key)}, true)
        .has_value();
}

std::set<std::string> forgotten_among(const std::string &target, Oid source, const std::vector<std::string> &keys)
{
    std::map<std::string, const std::string *> by_hash;
    std::string list = "{";
    for (const auto &key : keys) {
        const auto hash = embed::sha256(key);
        list += (list.size() > 1 ? "," : "") + hash;
        by_hash.emplace(hash, &key);
    }
    std::set<std::string> found;
    for (const auto &row : pg::execute("SELECT key FROM autosync.forgotten WHERE instance IN (SELECT id FROM autosync.instance) AND target = $1::name"
                                       " AND source = $2::oid AND key = ANY ($3::text[])",
                                       {target, std::to_string(source), list + "}"}))
        if (const auto known = by_hash.find(row[0].value_or("")); known != by_hash.end())
            found.insert(*known->second);
    return found;
}

std::set<std::pair<std::string, Oid>> tables_forgotten(std::int64_t instance)
{
    std::set<std::pair<std::string, Oid>> found;
    for (const auto &row : pg::execute("SELECT DISTINCT target, source::oid FROM autosync.forgotten WHERE instance = $1::int8", {std::to_string(instance)}))
        found.emplace(row[0].value_or(""), oid_of(row[1]));
    return found;
}

} // namespace autosync::outbox
