#include "worker/embedded.hpp"

#include "outbox/identity.hpp"
#include "pg/spi.hpp"

namespace autosync::worker {

namespace {

constexpr long ok = 200;
constexpr long refused = 422;
constexpr long failed = 503;

// What the target holds of a source: the keys whose newest delivery is not a removal.
constexpr const char *live_keys = "SELECT key FROM (SELECT DISTINCT ON (key) key, operation FROM autosync.sent"
                                  " WHERE target = $1::name AND source = $2::jsonb ->> 'source' AND operation <> 'emit' ORDER BY key, sent_id DESC) AS newest WHERE operation NOT IN ('remove', 'delete')";

std::string send(const std::string &target, const std::string &body, const std::string &fail, long &status)
{
    if (!fail.empty()) {
        const auto match = pg::execute_one("SELECT d ->> 'key' FROM jsonb_array_elements($1::jsonb) AS d WHERE d ->> 'key' ~ $2 OR d ->> 'document' ~ $2 LIMIT 1",
                                           {body, fail});
        if (match) {
            status = refused;
            return "key or document matches the option \"fail\" of the server";
        }
    }
    pg::execute("INSERT INTO autosync.sent (target, source, key, operation, document, version, instance, event_id, event_type, entity_type,"
                " correlation_id, unclear)"
                " SELECT $1::name, d.source, d.key, d.operation, nullif(d.document, 'null'), d.version, (SELECT id FROM autosync.instance), d.event_id, d.event_type,"
                " d.entity_type, d.correlation_id, d.unclear"
                " FROM jsonb_to_recordset($2::jsonb) AS d (source text, key text, operation text, document jsonb, version int8, event_id text, event_type text,"
                " entity_type text, correlation_id text, unclear bool)",
                {target, body});
    return "";
}

std::string purge(const std::string &target, const std::string &body)
{
    return pg::execute_one(std::string{"WITH gone AS (INSERT INTO autosync.sent (target, source, key, operation, version, instance)"
                                       " SELECT $1::name, $2::jsonb ->> 'source', key, 'remove', 0, (SELECT id FROM autosync.instance) FROM ("} +
                               live_keys + " LIMIT ($2::jsonb ->> 'limit')::int8) AS live RETURNING 1) SELECT count(*) FROM gone",
                           {target, body})
        .value_or("0");
}

std::string list(const std::string &target, const std::string &body)
{
    return pg::execute_one(std::string{"SELECT coalesce(jsonb_agg(key ORDER BY key), '[]') FROM ("} + live_keys +
                               " AND key > $2::jsonb ->> 'after' ORDER BY key LIMIT ($2::jsonb ->> 'limit')::int8) AS live",
                           {target, body})
        .value_or("[]");
}

} // namespace

http::Response execute_embedded(std::int64_t instance, const std::string &target, const http::Request &request, const std::string &fail)
{
    http::Response response;
    response.status = ok;
    response.sent_bytes = request.body.size();
    try {
        pg::transaction([&] {
            const pg::ActiveSnapshot snapshot;
            if (const auto identity = outbox::identity(); !identity || identity->id != instance) {
                response.status = failed;
                response.body = "the extension is not the one that it was";
            } else if (request.method == "SEND")
                response.body = send(target, request.body, fail, response.status);
            else if (request.method == "LIST")
                response.body = list(target, request.body);
            else if (request.method == "PURGE")
                response.body = purge(target, request.body);
        });
    } catch (const pg::Error &error) { // the transaction is aborted already
        const bool data = ERRCODE_TO_CATEGORY(error.sqlstate()) == ERRCODE_DATA_EXCEPTION;
        response.status = data ? refused : failed;
        response.body = error.what();
    }
    return response;
}

} // namespace autosync::worker
