#include "worker/herald.hpp"

#include "pg/spi.hpp"
#include "worker/sessions.hpp"

namespace autosync::worker {

void Herald::unreachable(const std::vector<std::shared_ptr<Declared>> &syncs, const char *state)
{
    if (told_ != true && telling(syncs) != "{}" && tell(false, state))
        told_ = true;
}

void Herald::reached(const std::vector<std::shared_ptr<Declared>> &syncs)
{
    if (told_ != false && telling(syncs) != "{}" && tell(true, "active"))
        told_ = false;
}

/// False: pause() or resume() has the row at this moment; it is tried again with the next request.
bool Herald::tell(bool reached, const char *state) const
{
    const std::string changed = reached ? "UPDATE autosync.target_state SET unreachable_since = NULL WHERE instance = $1::int8 AND target = $2::name AND lane = ''"
                                          " AND unreachable_since IS NOT NULL RETURNING target"
                                        : "INSERT INTO autosync.target_state AS t (instance, target, unreachable_since)"
                                          " VALUES ($1::int8, $2::name, clock_timestamp()) ON CONFLICT (instance, target, lane)"
                                          " DO UPDATE SET unreachable_since = excluded.unreachable_since WHERE t.unreachable_since IS NULL RETURNING target";
    try {
        pg::transaction([&] {
            const pg::ActiveSnapshot snapshot;
            pg::execute("WITH changed AS (" + changed + ") SELECT pg_notify('autosync', json_build_object('event', $3::text, 'target', target, 'state', $4::text)::text)"
                        " FROM changed WHERE pg_notification_queue_usage() < 0.5",
                        {std::to_string(instance_), target_, reached ? "target_recovered" : "target_unreachable", state});
        });
        return true;
    } catch (const pg::Error &error) {
        if (error.sqlstate() != ERRCODE_LOCK_NOT_AVAILABLE)
            throw;
        return false;
    }
}

} // namespace autosync::worker
