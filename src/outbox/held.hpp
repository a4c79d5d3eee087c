// Changes that are gathered for a while before they are delivered (debounce): each entity once, as a mark whose time comes.
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "pg/postgres.hpp"

namespace autosync::outbox {

struct HeldBack {
    Oid source = InvalidOid;
    std::string key;
    std::string event_id;
    std::string operation;        ///< 'delete' when the absence of the row removes
    std::int64_t captured_at = 0; ///< in microseconds since 2000
    std::chrono::milliseconds gather{0}; ///< for so long since then
};
/// The time of what is gathered already stays. Those of tables that are returned have not all been noted: what a user has marked by hand, or
/// another transaction is deciding on, goes first. Needs a transaction.
[[nodiscard]] std::set<Oid> note_held(std::int64_t instance, const std::string &target, const std::vector<HeldBack> &changes);

} // namespace autosync::outbox
