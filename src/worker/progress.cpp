#include "worker/progress.hpp"

#include <algorithm>
#include <utility>

#include "mapping/identity.hpp"
#include "pg/spi.hpp"
#include "worker/slots.hpp"

namespace autosync::worker {

namespace {

using State = delivery::Result::State;

TimestampTz after(std::chrono::milliseconds delay)
{
    return delay.count() == 0 ? 0 : TimestampTzPlusMilliseconds(GetCurrentTimestamp(), delay.count());
}

} // namespace

void note_delivery(const std::string &target, const Flight &flight, const Round &round)
{
    const auto &delivery = *flight.delivery;
    const TimestampTz now = GetCurrentTimestamp();
    std::int64_t delivered = 0;
    for (const auto &result : delivery.results())
        delivered += result.state == State::delivered ? 1 : 0;
    embed::Usage usage;
    for (const auto &[source, part] : delivery.usage())
        usage += part;
    change_slot(target, [&](TargetSlot &slot) {
        slot.delivered += delivered;
        slot.requests += static_cast<std::int64_t>(delivery.requests());
        slot.bytes += static_cast<std::int64_t>(delivery.bytes());
        slot.refused += static_cast<std::int64_t>(flight.refusals.size());
        slot.embedded_texts += static_cast<std::int64_t>(usage.texts);
        slot.embedded_tokens += static_cast<std::int64_t>(usage.tokens);
        slot.embed_requests += static_cast<std::int64_t>(usage.requests);
        slot.embed_skipped += static_cast<std::int64_t>(usage.skipped);
        if (delivered > 0)
            slot.last_success = now;
        if (!flight.refusals.empty()) {
            slot.last_error_at = now;
            strlcpy(slot.last_error, flight.refusals.back().message.c_str(), sizeof(slot.last_error));
        }
        if (delivery.trouble() || !round.items.empty())
            return; // the round's commits have not arrived as a whole
        for (const std::int64_t captured : round.captured) {
            constexpr std::int64_t longest = 2'000'000'000;
            slot.latency_us[slot.latencies % latency_samples] = static_cast<std::int32_t>(std::clamp<std::int64_t>(now - captured, 0, longest));
            ++slot.latencies;
        }
    });
}

void note_trouble(const std::string &target, const delivery::Trouble &trouble, std::chrono::milliseconds next_attempt)
{
    change_slot(target, [&](TargetSlot &slot) {
        slot.last_error_at = GetCurrentTimestamp();
        slot.next_attempt = after(next_attempt);
        strlcpy(slot.last_error, trouble.message.c_str(), sizeof(slot.last_error));
    });
}

void note_state(const std::string &target, TargetState state, std::chrono::milliseconds next_attempt)
{
    change_slot(target, [&](TargetSlot &slot) {
        slot.state = state;
        if (next_attempt.count() == 0)
            slot.next_attempt = 0;
    });
}

bool take_hurry(const std::string &target)
{
    bool hurry = false;
    change_slot(target, [&](TargetSlot &slot) { hurry = std::exchange(slot.hurry, false); });
    return hurry;
}

void note_expired_count(const std::string &target, std::int64_t count)
{
    change_slot(target, [count](TargetSlot &slot) { slot.expired += count; });
}

void start_job(std::int64_t instance, const config::Target &target, Job &job, Declared &declared)
{
    std::int64_t total = 0;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        try {
            total = reader_of(declared, target).estimate_rows(job.where_clause);
        } catch (const SyncTrouble &) {
            total = 0; // reading the rows will say why
        }
        pg::execute("UPDATE autosync.jobs SET total = nullif($5::int8, 0), started_at = clock_timestamp(), updated_at = clock_timestamp()"
                    " WHERE (instance, target, source, kind) = (SELECT instance, target, source, kind FROM autosync.jobs"
                    " WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid AND kind = $4 FOR UPDATE SKIP LOCKED)",
                    {std::to_string(instance), target.name, std::to_string(job.table), job.kind, std::to_string(total)});
    });
    job.started = true;
}

Round sweep_round(const Errand &errand, const std::vector<std::string> &keys, std::size_t limit)
{
    Round round;
    round.kind = Round::Kind::sweep;
    round.job = errand.job;
    round.position = keys.empty() ? errand.job.position : keys.back();
    round.finished = keys.size() < limit;
    round.done = static_cast<std::int64_t>(keys.size());
    std::vector<std::string> names;
    for (const auto &part : errand.declared->key_parts)
        names.push_back(part.name);
    for (const auto &key : keys) {
        Item item;
        item.table = errand.declared->sync.table;
        item.operation = "sweep";
        item.rekeyed = true;
        try {
            item.wanted = {key, mapping::read_key(key, names)};
        } catch (const std::invalid_argument &) {
            continue; // not a key of ours
        }
        round.items.push_back(std::move(item));
    }
    return round;
}

} // namespace autosync::worker
