// Asking a target whether it is there, from a user's backend.
#pragma once

#include <chrono>
#include <string>

#include "pg/postgres.hpp"

namespace autosync::operate {

struct Check {
    bool ok = false;
    std::string server_version;
    std::chrono::microseconds latency{0};
    std::string detail; ///< what is wrong and what to do; empty when all is well
};

/// With the user mapping of `user`, else of PUBLIC. Waits interruptibly, at most connect_timeout + 10 s. The target must exist.
[[nodiscard]] Check check_target(const std::string &name, Oid user);

} // namespace autosync::operate
