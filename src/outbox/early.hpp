// Marks of entities that are sent before the transaction that has changed them commits: whatever becomes of it, they are read again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pg/postgres.hpp"

namespace autosync::outbox {

struct Early {
    Oid source = InvalidOid;
    std::string key;
    bool made = false; ///< the transaction has inserted it: without it there is no such row
};

inline constexpr const char *early_prefix = "early-"; ///< of all of them

/// What all marks of one transaction are called.
[[nodiscard]] std::string early_mark(std::uint64_t xid);
/// False: some of them are in trouble or marked already, or being decided on; nothing may be sent then, and the caller rolls back.
[[nodiscard]] bool note_early(std::int64_t instance, const std::string &target, const std::string &mark, const std::vector<Early> &entities);
/// The transaction has committed: its changes are in the log.
void drop_early(std::int64_t instance, const std::string &target, const std::string &mark);
/// It was rolled back, or (an empty mark) whoever knew of it is gone: they are due at once. True: there are some.
[[nodiscard]] bool hasten_early(std::int64_t instance, const std::string &target, const std::string &mark);

} // namespace autosync::outbox
