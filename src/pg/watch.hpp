// What a process remembers of relations, for as long as they stay as they are.
#pragma once

#include <vector>

#include "pg/postgres.hpp"

namespace autosync::pg {

/// Lives as long as the process: PostgreSQL keeps its address.
class RelationWatch final {
public:
    RelationWatch() = default;
    RelationWatch(const RelationWatch &) = delete;
    RelationWatch &operator=(const RelationWatch &) = delete;

    /// Whether none of them has changed since remember(). To be asked before they are looked at, for it begins to watch.
    [[nodiscard]] bool holds();
    void remember(std::vector<Oid> relations);
    void forget() noexcept { valid_ = false; }

private:
    static void changed(Datum self, Oid relation);

    std::vector<Oid> relations_;
    bool valid_ = false;
    bool watching_ = false;
};

} // namespace autosync::pg
