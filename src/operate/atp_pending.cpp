// retry_pending_syncs(), cleanup_pending_syncs(): what waits for a session, and what has waited for too long.

#include <algorithm>
#include <chrono>

#include "operate/access.hpp"
#include "operate/newest.hpp"
#include "operate/rest.hpp"
#include "operate/rows.hpp"
#include "worker/wishes.hpp"

namespace autosync::operate {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds pause{20};

/// Of tables of this role.
constexpr const char *own = " AND (SELECT pg_has_role($2::oid, c.relowner, 'USAGE') FROM pg_class AS c WHERE c.oid = x.source)";
constexpr const char *tried = " AND EXISTS (SELECT FROM autosync.atp_store AS s WHERE s.instance = x.instance AND s.target = x.target AND s.did = x.did"
                              " AND s.status <> 'revoked')";

/// What waits for one identity, for one caller.
class Retry final {
public:
    Retry(const std::string &did, Oid caller) : which_{require_instance(), std::to_string(caller), did} {}

    [[nodiscard]] std::vector<pg::Cell> within(milliseconds time)
    {
        const auto end = Clock::now() + time;
        list_waiting();
        if (rows_ != "[]") {
            const worker::Wish wish{InvalidOid, *which_[1] + " " + *which_[2]};
            while (wish.state() == worker::Wish::State::asked && Clock::now() < end)
                rest(pause);
            if (wish.state() != worker::Wish::State::granted)
                throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "what waits has not been tried again", "No worker has heard of it in time.",
                                  "See autosync.health() and the server's log, then try again."};
        }
        auto result = count();
        while (result[4] != "0" && Clock::now() < end) {
            rest(pause);
            result = count();
        }
        return {retried_, result[0], result[1], result[2]};
    }

private:
    void list_waiting()
    {
        const Active newest;
        const pg::ActingAs owner{pg::extension_owner(), false};
        const auto row = pg::execute(std::string{"SELECT count(*), coalesce(jsonb_agg(jsonb_build_object('target', x.target, 'source', x.source, 'key', x.key,"
                                                 " 'attempts', x.attempts)), '[]') FROM autosync.exceptions AS x WHERE x.instance = $1::int8 AND x.did = $3"
                                                 " AND x.status = 'WAITING_AUTH'"} + own + tried, which_, true).at(0);
        retried_ = row[0];
        rows_ = row[1].value_or("[]");
    }

    /// succeeded, failed, why; how many are under way. What waits again has one more attempt behind it.
    [[nodiscard]] std::vector<pg::Cell> count() const
    {
        const Active newest;
        const pg::ActingAs owner{pg::extension_owner(), false};
        auto parameters = which_;
        parameters.emplace_back(rows_);
        return pg::execute(std::string{"WITH tried AS (SELECT x.status, x.last_error, CASE WHEN x.status IS NULL THEN 'arrived'"
                                       " WHEN x.status = 'RETRYING' OR (x.status = 'WAITING_AUTH' AND x.attempts <= t.attempts) THEN 'open' ELSE 'failed' END AS state"
                                       " FROM jsonb_to_recordset($4::jsonb) AS t (target name, source oid, key text, attempts int4)"
                                       " LEFT JOIN autosync.exceptions AS x ON x.instance = $1::int8 AND x.target = t.target AND x.source = t.source AND x.key = t.key"
                                       " UNION ALL SELECT x.status, x.last_error, 'failed' FROM autosync.exceptions AS x WHERE x.instance = $1::int8 AND x.did = $3"
                                       " AND x.status = 'WAITING_AUTH'"} + own + " AND NOT (true" + tried + "))"
                                       " SELECT count(*) FILTER (WHERE state = 'arrived'), count(*) FILTER (WHERE state = 'failed'),"
                                       " coalesce(array_agg(DISTINCT last_error) FILTER (WHERE state = 'failed'), '{}'), 0, count(*) FILTER (WHERE state = 'open') FROM tried",
                           parameters, true)
            .at(0);
    }

    std::vector<pg::Cell> which_;
    pg::Cell retried_;
    std::string rows_ = "[]";
};

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_retry_pending_syncs)
{
    operate::require_arguments(fcinfo, {"did", "timeout"});
    operate::Retry retry{pg::text_argument(fcinfo, 0), GetUserId()};
    return operate::one_row(fcinfo, retry.within(pg::duration_argument(fcinfo, 1)));
}

AUTOSYNC_SQL(autosync_cleanup_pending_syncs)
{
    const auto instance = operate::require_instance();
    const std::string caller = std::to_string(GetUserId());
    const pg::ActingAs owner{pg::extension_owner(), false};
    const auto count = pg::execute_one(std::string{"WITH gone AS (DELETE FROM autosync.exceptions AS x WHERE x.instance = $1::int8 AND x.status = 'EXPIRED'"} +
                                           operate::own + " RETURNING 1) SELECT count(*) FROM gone",
                                       {instance, caller});
    PG_RETURN_INT64(count ? std::stoll(*count) : 0);
}
