#include "worker/alarm.hpp"

#include <algorithm>

#include "config/settings.hpp"
#include "operate/lag.hpp"
#include "outbox/logs.hpp"
#include "pg/spi.hpp"

namespace autosync::worker {

namespace {

using operate::Lag;

std::vector<Lag> limited(const Catalog &catalog)
{
    std::vector<Lag> lags;
    for (const auto &[name, destination] : catalog.destinations())
        for (const auto &declared : destination.syncs)
            if (const auto most = operate::most_lag(declared->sync.options))
                lags.push_back({declared->sync.table, name, *most, 0});
    return lags;
}

/// Told once when it begins and once when it is over, also when another worker has taken over meanwhile. The table's name is looked up, as it may
/// have been renamed; in trouble that somebody else makes at this moment it is tried again later.
void note(std::int64_t instance, const Lag &lag)
{
    const char *const event = lag.late() ? "lag_exceeded" : "lag_recovered";
    const auto told = pg::execute("WITH changed AS (UPDATE autosync.sync_state SET late_since = CASE WHEN $4::bool THEN clock_timestamp() END"
                                  " WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid AND (late_since IS NOT NULL) <> $4::bool"
                                  " RETURNING target, source::regclass::text AS source)"
                                  " SELECT source, pg_notify('autosync', json_build_object('event', $5::text, 'target', target, 'source', source,"
                                  " 'max_lag_ms', $6::int8, 'oldest_pending', CASE WHEN $4::bool THEN to_timestamp(($7::int8 + 946684800000000) / 1000000.0) END)::text)"
                                  " FROM changed",
                                  {std::to_string(instance), lag.target, std::to_string(lag.source), lag.late() ? "t" : "f", event,
                                   std::to_string(lag.most.count()), std::to_string(lag.oldest)});
    for (const auto &row : told) {
        const std::string what = "table " + row[0].value_or("") + (lag.late() ? " lags behind at target \"" : " has caught up at target \"") + lag.target + "\"";
        pg::report(lag.late() ? WARNING : LOG, ERRCODE_SUCCESSFUL_COMPLETION, what, "The option max_lag is " + std::to_string(lag.most.count()) + " ms.",
                   lag.late() ? "See autosync.health() and autosync.stat_targets." : "");
    }
}

} // namespace

void Alarm::look(std::int64_t instance, const Catalog &catalog, Clock::time_point now)
{
    if (now >= lag_at_)
        look_at_lag(instance, catalog, now);
    look_at_size();
}

/// Seldom where it takes long: a log that nobody takes up may be long.
void Alarm::look_at_lag(std::int64_t instance, const Catalog &catalog, Clock::time_point now)
{
    constexpr int share = 20;
    auto lags = limited(catalog);
    if (lags.empty())
        return;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        operate::measure(instance, lags);
        const bool late = std::ranges::any_of(lags, &Lag::late);
        if (late || was_late_)
            for (const auto &lag : lags)
                note(instance, lag);
        was_late_ = late;
    });
    lag_at_ = now + share * (Clock::now() - now);
}

void Alarm::look_at_size()
{
    const std::int64_t most = std::int64_t{config::settings.outbox_warn_size} * 1'024;
    if (most == 0) {
        was_large_ = false;
        return;
    }
    std::int64_t size = 0;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        size = outbox::log_size();
    });
    const bool large = size > most;
    if (large && !was_large_)
        pg::report(WARNING, ERRCODE_SUCCESSFUL_COMPLETION, "the outbox takes " + std::to_string(size / 1'024) + " kB, more than autosync.outbox_warn_size",
                   "Nothing is dropped.", "See autosync.health() and autosync.stat_targets for what keeps changes from being delivered.");
    if (!large && was_large_)
        pg::report(LOG, ERRCODE_SUCCESSFUL_COMPLETION, "the outbox takes " + std::to_string(size / 1'024) + " kB again");
    was_large_ = large;
}

} // namespace autosync::worker
