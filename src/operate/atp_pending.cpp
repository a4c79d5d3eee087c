// retry_pending_syncs(), cleanup_pending_syncs(): what waits for a session, and what has waited for too long.

#include "capture/wake.hpp"
#include "operate/access.hpp"
#include "operate/rows.hpp"

namespace autosync::operate {

namespace {

/// Of tables of this role.
constexpr const char *own = " AND (SELECT pg_has_role($2::oid, c.relowner, 'USAGE') FROM pg_class AS c WHERE c.oid = x.source)";

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_retry_pending_syncs)
{
    operate::require_arguments(fcinfo, {"did"});
    const auto did = pg::text_argument(fcinfo, 0);
    const auto instance = operate::require_instance();
    const std::string caller = std::to_string(GetUserId());
    std::vector<pg::Cell> result;
    {
        const pg::ActingAs owner{pg::extension_owner(), false};
        const std::string waiting = std::string{" FROM autosync.exceptions AS x WHERE x.instance = $1::int8 AND x.did = $3 AND x.status = 'WAITING_AUTH'"} +
                                    operate::own;
        const std::string usable = " AND EXISTS (SELECT FROM autosync.atp_store AS s WHERE s.instance = x.instance AND s.target = x.target AND s.did = x.did"
                                   " AND s.status <> 'revoked')";
        const auto refused = pg::execute("SELECT count(*), coalesce(array_agg(DISTINCT x.last_error), '{}')" + waiting + " AND NOT (true" + usable + ")",
                                         {instance, caller, did});
        const auto retried = pg::execute_one("WITH again AS (UPDATE autosync.exceptions AS u SET status = 'RETRYING', next_attempt_at = clock_timestamp(),"
                                             " updated_at = clock_timestamp() WHERE (u.instance, u.target, u.source, u.key) IN"
                                             " (SELECT x.instance, x.target, x.source, x.key" + waiting + usable + ") RETURNING 1) SELECT count(*) FROM again",
                                             {instance, caller, did});
        result = {retried, "0", refused.at(0).at(0), refused.at(0).at(1)};
    }
    capture::wake_at_commit();
    return operate::one_row(fcinfo, result);
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
