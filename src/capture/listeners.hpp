// Targets that keep history, as declared now: looked up once per session and kept until a catalog changes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "capture/spec.hpp"
#include "pg/postgres.hpp"

namespace autosync::capture {

struct Listener {
    std::string target;
    Oid server = InvalidOid;
    bool enabled = true; ///< the server is
    Manner manner;
    std::map<std::string, Oid> tables; ///< that it is told the events of, by their entity type
};

/// By name. Until the next call.
[[nodiscard]] const std::vector<Listener> &listeners();

} // namespace autosync::capture
