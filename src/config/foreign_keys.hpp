// Links between rows, inferred from foreign keys.
#pragma once

#include <vector>

#include "config/catalog.hpp"

namespace autosync::config {

struct Reference {
    mapping::Link link;
    LinkReader reader;
};

/// The links of a table's rows to their parents, by column order; a parent without a key of its own has none.
[[nodiscard]] std::vector<Reference> references(Catalog &catalog, const Table &table, const std::string &target);
/// Puts the two links of a join table first, in key order. False: the key is not exactly two foreign keys, there are more
/// links than these, or other tables point to this one (it is an entity of its own then).
[[nodiscard]] bool arrange_join_table(const Table &table, const std::vector<KeyColumn> &key, std::vector<Reference> &references);

} // namespace autosync::config
