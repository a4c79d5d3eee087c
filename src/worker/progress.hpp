// What runners tell the world: statistics in shared memory, progress of jobs.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "worker/errand.hpp"
#include "worker/round.hpp"
#include "worker/shared.hpp"

namespace autosync::worker {

void note_delivery(const std::string &target, const Flight &flight, const Round &round);
void note_trouble(const std::string &target, const delivery::Trouble &trouble, std::chrono::milliseconds next_attempt);
void note_state(const std::string &target, TargetState state, std::chrono::milliseconds next_attempt);
/// Whether somebody wants the target tried now, though it has asked for patience; told once.
[[nodiscard]] bool take_hurry(const std::string &target);
void note_expired_count(const std::string &target, std::int64_t count);

/// Notes how much there is to do before the first piece. In a transaction of its own.
void start_job(std::int64_t instance, const config::Target &target, Job &job, Declared &declared);

/// The keys a target holds, as suspects: whoever has no row any more is removed.
[[nodiscard]] Round sweep_round(const Errand &errand, const std::vector<std::string> &keys, std::size_t limit);

} // namespace autosync::worker
