// The record map of AT Protocol targets: which record a row is, kept in this database, chosen before it is first sent.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "atproto/context.hpp"
#include "worker/round.hpp"

namespace autosync::worker {

/// Says for each change of the flight what is asked of whose repository, and writes down where the records are going to be. What has no
/// session or no points left is taken out and waits; so is what is as it should be. In a transaction of its own.
[[nodiscard]] std::unique_ptr<atproto::Context> prepare_records(std::int64_t instance, const std::string &target, Flight &flight,
                                                                std::map<std::string, atproto::Budget> &budgets);

/// What the repositories have confirmed, and what became of the sessions. In a transaction of its own, before the flight is settled: repeated
/// after a crash, the round finds the records as they are.
void settle_records(std::int64_t instance, const std::string &target, const Flight &flight, std::int64_t version);

} // namespace autosync::worker
