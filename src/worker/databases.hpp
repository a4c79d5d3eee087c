// The databases of the cluster that could have a worker.
#pragma once

#include <array>

#include "worker/shared.hpp"

namespace autosync::worker {

struct Databases {
    int count;
    bool more; ///< than there are slots
    std::array<Oid, max_databases> oids;
};

/// Those that allow connections, templates left out. Its own transaction; needs no database of its own.
[[nodiscard]] Databases connectable();

} // namespace autosync::worker
