// What a sync evaluates for each row beside its columns.
#pragma once

#include <string>
#include <vector>

#include "config/catalog.hpp"

namespace autosync::config {

/// Named as the option that asks for it.
struct Computed {
    mapping::Column column;
    std::string expression; ///< SQL over the table's row
};

/// For syncs of targets of this kind. Throws pg::Failure for what the user has to mend.
[[nodiscard]] std::vector<Computed> computed_values(Catalog &catalog, const Table &table, const std::string &target, const std::string &kind,
                                                    const mapping::Options &options);

} // namespace autosync::config
