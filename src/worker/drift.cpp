#include "worker/drift.hpp"

#include <algorithm>

#include "declaration/jobs.hpp"
#include "worker/advance.hpp"
#include "worker/rewrites.hpp"
#include "worker/shape.hpp"
#include "worker/signature.hpp"

namespace autosync::worker {

namespace {

/// What was delivered under another name nobody else takes away. Two names ago waits until the last one is gone: false.
bool purge_former_name(std::int64_t instance, const config::Sync &sync, const std::string &before)
{
    const auto former = name_of_shape(before);
    if (!former || *former == sync.source.name)
        return true;
    if (pg::execute_one("SELECT 1 FROM autosync.jobs WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid AND kind = 'purge'",
                        {std::to_string(instance), sync.target, std::to_string(sync.table)}))
        return false;
    declaration::request_purge(sync.target, sync.table, *former, sync.options, "the table has another name");
    return true;
}

} // namespace

bool removes(const config::Sync &sync)
{
    const auto operations = sync.options.find("operations");
    if (operations == sync.options.end())
        return true;
    const auto names = config::parse_columns(operations->second);
    return std::find(names.begin(), names.end(), "delete") != names.end();
}

bool note_drift(std::int64_t instance, const config::Sync &sync, const pg::Cell &before)
{
    const std::string now = shape(sync) + "\n" + signature(sync);
    if (before == now)
        return true;
    if (before && drift(explained(*before, now, sync.target), now) == Drift::changed) {
        if (!purge_former_name(instance, sync, *before))
            return false;
        request_job(instance, sync.target, sync.table, "backfill", "the table has changed");
        if (removes(sync))
            request_job(instance, sync.target, sync.table, "sweep", "the table has changed");
    }
    pg::execute("INSERT INTO autosync.sync_state (instance, target, source, signature) VALUES ($1::int8, $2::name, $3::oid, $4)"
                " ON CONFLICT (instance, target, source) DO UPDATE SET signature = excluded.signature",
                {std::to_string(instance), sync.target, std::to_string(sync.table), now});
    return true;
}

} // namespace autosync::worker
