#include "operate/lag.hpp"

#include <algorithm>
#include <map>

#include "operate/backlog.hpp"
#include "operate/newest.hpp"
#include "pg/spi.hpp"

namespace autosync::operate {

namespace {

using std::chrono::milliseconds;

TimestampTz before_now(milliseconds age) { return GetCurrentTimestamp() - age.count() * 1'000; }

/// What the log has. Events come about in the order in which they were captured: those younger than any limit need not be looked at.
void measure_log(std::int64_t instance, const std::string &target, std::vector<Lag *> &lags)
{
    const auto shortest = (*std::ranges::min_element(lags, {}, &Lag::most))->most;
    const TimestampTz young = before_now(shortest);
    std::size_t open = lags.size();
    const Kept now;
    each_pending(instance, {target}, now.get(), [&](const Pending &event) {
        const auto found = std::ranges::find(lags, event.topic.table, &Lag::source);
        if (found != lags.end() && (*found)->oldest == 0 && event.captured_at < before_now((*found)->most)) {
            (*found)->oldest = event.captured_at;
            --open;
        }
        return open > 0 && event.captured_at < young;
    });
}

/// And those that are tried again, or wait for something of their own.
void measure_exceptions(std::int64_t instance, const std::string &target, std::vector<Lag *> &lags)
{
    for (const auto &row : pg::execute("SELECT source, (extract(epoch FROM min(created_at)) * 1000000)::int8 - 946684800000000 FROM autosync.exceptions"
                                       " WHERE instance = $1::int8 AND target = $2::name AND status IN ('PENDING', 'RETRYING', 'WAITING_AUTH')"
                                       " AND verb IS DISTINCT FROM 'confirm' GROUP BY source",
                                       {std::to_string(instance), target})) {
        const auto found = std::ranges::find(lags, static_cast<Oid>(std::stoul(row[0].value_or("0"))), &Lag::source);
        const auto since = std::stoll(row[1].value_or("0"));
        if (found != lags.end() && since < before_now((*found)->most) && ((*found)->oldest == 0 || since < (*found)->oldest))
            (*found)->oldest = since;
    }
}

} // namespace

std::optional<milliseconds> most_lag(const config::Options &options)
{
    const auto option = options.find("max_lag");
    return option == options.end() ? std::nullopt : std::optional{config::parse_duration(option->second)};
}

void measure(std::int64_t instance, std::vector<Lag> &lags)
{
    std::map<std::string, std::vector<Lag *>> by_target;
    for (auto &lag : lags) {
        lag.oldest = 0;
        by_target[lag.target].push_back(&lag);
    }
    for (auto &[target, of_target] : by_target) {
        measure_log(instance, target, of_target);
        measure_exceptions(instance, target, of_target);
    }
}

} // namespace autosync::operate
