// Events that are told one by one, and wait because an earlier one of their entity was refused. All need a transaction.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pg/postgres.hpp"

namespace autosync::outbox {

struct Behind {
    Oid source = InvalidOid;
    std::string key;
    std::string event_id;
    std::string operation;
    std::string payload;
    std::string correlation_id;
    std::string origin;
    std::int64_t captured_at = 0; ///< in microseconds since 2000
};

/// In their order; those that are known already stay where they are.
void note_behind(std::int64_t instance, const std::string &target, const std::vector<Behind> &events);
/// Of these entities, those that an earlier event holds.
[[nodiscard]] std::set<std::pair<Oid, std::string>> held_among(std::int64_t instance, const std::string &target, const std::set<std::pair<Oid, std::string>> &entities);
/// Where nothing holds an entity any more, its next event is due. True when there is one.
bool let_on(std::int64_t instance, const std::string &target);

} // namespace autosync::outbox
