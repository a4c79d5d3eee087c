#include "worker/agenda.hpp"

#include <algorithm>

#include "pg/spi.hpp"

namespace autosync::worker {

std::map<std::string, Agenda> read_agenda(std::int64_t instance)
{
    const auto rows = pg::execute("SELECT target, paused, NULL, NULL, NULL::int8, lane FROM autosync.target_state WHERE instance = $1::int8 AND paused"
                                  " UNION ALL SELECT DISTINCT target, false, 'job', NULL, NULL::int8, '' FROM autosync.jobs WHERE instance = $1::int8"
                                  " UNION ALL SELECT target, false, NULL, 'exception',"
                                  " ceil(extract(epoch FROM min(coalesce(next_attempt_at, '1970-01-01 00:00:00+00')) - clock_timestamp()) * 1000)::int8, ''"
                                  " FROM autosync.exceptions WHERE instance = $1::int8 AND status IN ('PENDING', 'RETRYING') GROUP BY target"
                                  // Of dead letters, and of what has expired, there may be a million: they are not counted each time.
                                  " UNION ALL SELECT s.srvname, false, NULL, 'exception', NULL::int8, '' FROM pg_catalog.pg_foreign_server AS s"
                                  " WHERE EXISTS (SELECT FROM autosync.exceptions AS x WHERE x.instance = $1::int8 AND x.target = s.srvname)",
                                  {std::to_string(instance)});
    std::map<std::string, Agenda> agenda;
    for (const auto &row : rows) {
        auto &entry = agenda[row[0].value_or("")];
        if (row[1] == "t" && row[5].value_or("").empty())
            entry.paused = true;
        else if (row[1] == "t")
            entry.paused_lanes.insert(*row[5]);
        entry.has_jobs = entry.has_jobs || row[2];
        entry.has_exceptions = entry.has_exceptions || row[3];
        if (row[4])
            entry.due = std::chrono::milliseconds{std::max(0LL, std::stoll(*row[4]))};
    }
    return agenda;
}

} // namespace autosync::worker
