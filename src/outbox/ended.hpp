// An event that is over, as the history keeps it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pg/postgres.hpp"

namespace autosync::outbox {

/// Times in microseconds since 2000; 0: none.
struct Ended {
    Oid source = InvalidOid;
    std::string key; ///< empty: of a TRUNCATE
    std::string event_id;
    std::string operation;
    std::string status = "COMPLETED";
    int attempts = 0;       ///< how often it was refused
    std::string last_error;
    std::string changed;    ///< bitmap (bit n-1 = attribute n)
    std::string correlation_id;
    std::string origin;
    std::optional<std::int64_t> version{}; ///< of what was sent, if anything was
    std::int64_t created_at = 0;
    std::int64_t published_at = 0;
    std::int64_t completed_at = 0;
    std::string payload{};  ///< JSON; empty: the event carried none
};

} // namespace autosync::outbox
