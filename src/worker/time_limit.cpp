#include "worker/time_limit.hpp"

#include <string>

#include "worker/read.hpp"

namespace autosync::worker {

TimeLimit::TimeLimit(std::chrono::milliseconds limit) : limit_{limit}
{
    if (limit_.count() > 0)
        pg::call([limit] { enable_timeout_after(STATEMENT_TIMEOUT, static_cast<int>(limit.count())); });
}

/// A signal that came at the last moment must not cancel what comes next.
TimeLimit::~TimeLimit()
{
    if (limit_.count() == 0)
        return;
    disable_timeout(STATEMENT_TIMEOUT, true);
    if (get_timeout_indicator(STATEMENT_TIMEOUT, true))
        QueryCancelPending = false;
}

void TimeLimit::judge(const pg::Error &error) const
{
    if (limit_.count() == 0 || error.sqlstate() != ERRCODE_QUERY_CANCELED || std::chrono::steady_clock::now() - began_ < limit_)
        return;
    throw SyncTrouble{ERRCODE_QUERY_CANCELED, "reading its rows takes longer than " + std::to_string(limit_.count()) + " ms (request_timeout, a minute at most)"};
}

} // namespace autosync::worker
