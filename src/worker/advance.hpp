// Writing down how far a target and its jobs are. All of it needs a transaction.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/round.hpp"

namespace autosync::worker {

inline constexpr const char *being_decided = "another session has yet to commit what it asks for";

/// Asks for long work. `events`: over when it is done.
void request_job(std::int64_t instance, const std::string &target, Oid table, const char *kind, const char *reason, const std::vector<outbox::Ended> &events = {});
/// The round has nothing left: the target stands behind it. `carried`: see settle().
void finish(std::int64_t instance, const std::string &target, Round &round, const std::vector<outbox::Ended> &carried);

} // namespace autosync::worker
