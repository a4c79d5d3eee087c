// Entities that were erased everywhere and are not sent again until somebody publishes them. Kept as hashes: a key may say who it was.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "pg/postgres.hpp"

namespace autosync::outbox {

/// All need a transaction. Marks the entity, and has the target asked to remove it under this event id: what is kept of it here goes at once.
void note_forgotten(std::int64_t instance, const std::string &target, Oid source, const std::string &source_name, const std::string &key,
                    const std::string &event_id);
/// It may be sent again.
void recall(const std::string &instance, const std::string &target, Oid source, const std::string &key);

[[nodiscard]] bool is_forgotten(std::int64_t instance, const std::string &target, Oid source, const std::string &key);
/// Of these keys, those that are.
[[nodiscard]] std::set<std::string> forgotten_among(const std::string &target, Oid source, const std::vector<std::string> &keys);
/// Target and table of all that are.
[[nodiscard]] std::set<std::pair<std::string, Oid>> tables_forgotten(std::int64_t instance);

} // namespace autosync::outbox
