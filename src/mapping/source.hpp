// What a target needs to know of a synced table, and what happened to one of its rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mapping/value.hpp"

namespace autosync::mapping {

/// Options of a sync, as declared: name -> value (JSON text for structured ones). Names are checked by config/options.
using Options = std::map<std::string, std::string>;

/// A foreign key of the source: the row's link to one parent.
struct Link {
    std::string name;                 ///< stable within the source: the foreign key's columns joined by ','
    std::vector<std::string> columns; ///< of the source
    std::string parent;               ///< 'schema.table' of the parent: its private identity at the target
    std::string parent_table;         ///< bare name of the parent's table: its default label
    std::string parent_label;         ///< label the parent's own sync declares for this target; empty if it declares none
};

/// A table and how it is synced to one target.
struct Source {
    std::string name;              ///< 'schema.table': identity at the target
    std::string table;             ///< bare table name
    std::vector<Column> columns;   ///< what is sent, in attribute order ('columns'/'exclude' applied)
    std::vector<Column> computed;  ///< what expressions give for a row; named as the options that hold them
    std::vector<std::string> key;  ///< names of the key columns
    std::vector<Link> links;       ///< by foreign key, in constraint order
    bool join_table = false;       ///< its primary key is exactly its two foreign keys (links[0], links[1] in key order)
    Options options;               ///< of the sync
};

/// The state of one entity under the round's snapshot.
struct Change {
    std::size_t source = 0;                        ///< index into the batch's sources
    std::string key;                               ///< canonical text: the value of a one-column key, else a JSON object
    bool removed = false;                          ///< no such row (any more): `row` and `links` are empty
    Row row;                                       ///< one value per Source::columns, then one per Source::computed
    std::vector<std::optional<std::string>> links; ///< canonical key of each parent, in the order of Source::links; nullopt: no parent
};

} // namespace autosync::mapping
