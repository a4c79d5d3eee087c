// The rows of stat_targets and stat_workers.

#include <algorithm>

#include "operate/rows.hpp"
#include "operate/states.hpp"
#include "worker/shared.hpp"

namespace autosync::operate {

namespace {

/// The latency below which a part of the last deliveries lay; NULL when there were none.
pg::Cell percentile(std::vector<std::int32_t> &samples, double part)
{
    if (samples.empty())
        return {};
    const auto rank = static_cast<std::ptrdiff_t>(part * static_cast<double>(samples.size() - 1) + 0.5);
    std::nth_element(samples.begin(), samples.begin() + rank, samples.end());
    return std::to_string(samples[static_cast<std::size_t>(rank)]) + " microseconds";
}

pg::Cell list_or_null(const std::vector<std::string> &texts)
{
    if (texts.empty())
        return {};
    std::string list;
    for (const auto &text : texts) {
        list += list.empty() ? "{\"" : "\",\"";
        for (const char byte : text)
            list += (byte == '"' || byte == '\\' ? "\\" : "") + std::string{byte};
    }
    return list + "\"}";
}

std::vector<std::int32_t> samples_of(const worker::TargetSlot &slot)
{
    const auto count = std::min<std::uint32_t>(slot.latencies, worker::latency_samples);
    return {slot.latency_us, slot.latency_us + count};
}

std::string database_name(Oid database)
{
    const char *const name = pg::call([database] { return get_database_name(database); });
    return name == nullptr ? std::to_string(database) : name;
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_target_rows)
{
    operate::Rows rows{fcinfo};
    const pg::ActingAs owner{pg::extension_owner(), false};
    for (const auto &it : operate::load_states()) {
        auto samples = operate::samples_of(it.slot);
        rows.add({it.target, operate::text_or_null(it.kind), it.state, std::to_string(it.pending), std::to_string(it.retrying), std::to_string(it.failed), std::to_string(it.waiting_auth),
                  std::to_string(it.slot.delivered), std::to_string(it.slot.requests), std::to_string(it.slot.bytes),
                  operate::time_text(it.oldest_pending), operate::percentile(samples, 0.5), operate::percentile(samples, 0.95),
                  operate::percentile(samples, 0.99), operate::time_text(it.slot.last_success), operate::text_or_null(it.slot.last_error),
                  operate::time_text(it.slot.last_error_at), operate::time_text(it.slot.next_attempt), operate::time_text(it.slot.stats_reset),
                  std::to_string(it.slot.embedded_texts), std::to_string(it.slot.embedded_tokens), std::to_string(it.slot.embed_requests),
                  std::to_string(it.slot.embed_skipped), std::to_string(it.slot.expired), operate::list_or_null(it.paused_lanes)});
    }
    PG_RETURN_VOID();
}

AUTOSYNC_SQL(autosync_cluster_rows)
{
    operate::Rows rows{fcinfo};
    const auto databases = worker::databases();
    for (const auto &slot : worker::all_targets()) {
        const auto database = std::find_if(databases.begin(), databases.end(), [&](const auto &it) { return it.database == slot.database; });
        const bool served = database != databases.end() && database->worker != 0;
        rows.add({operate::database_name(slot.database), slot.name, !served && slot.pending > 0 ? "no_worker" : operate::state_name(slot.state),
                  slot.counted_at == 0 ? pg::Cell{} : std::to_string(slot.pending), operate::time_text(slot.oldest_pending), operate::text_or_null(slot.last_error),
                  operate::time_text(slot.counted_at), served ? std::to_string(slot.events_per_second) : "0"});
    }
    PG_RETURN_VOID();
}

AUTOSYNC_SQL(autosync_worker_rows)
{
    operate::Rows rows{fcinfo};
    for (const auto &slot : worker::databases())
        if (slot.worker != 0)
            rows.add({std::to_string(slot.worker), operate::database_name(slot.database), operate::text_or_null(slot.activity),
                      std::to_string(slot.events_per_second), operate::text_or_null(slot.current_target)});
    PG_RETURN_VOID();
}
