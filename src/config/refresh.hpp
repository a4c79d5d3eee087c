// The option refresh_on: tables whose rows have a say in an entity's document, and by which columns they name it.
#pragma once

#include <string>
#include <vector>

#include "config/catalog.hpp"

namespace autosync::config {

struct Refresh {
    Oid child = InvalidOid;
    std::string table;                ///< as it is written
    std::vector<std::string> columns; ///< of the child, in the order of the parent's key
};

/// As a sync of `parent` declares it; a table without schema is one of the parent's. A child that does not exist has no oid. Throws
/// std::invalid_argument for what is no such object. Needs a transaction.
[[nodiscard]] std::vector<Refresh> refreshes(const Table &parent, const mapping::Options &options);
/// The same, checked. Throws pg::Failure with what the user has to mend.
[[nodiscard]] std::vector<Refresh> checked_refreshes(Catalog &catalog, const Table &parent, const std::vector<KeyColumn> &key, const mapping::Options &options);

} // namespace autosync::config
