// A sync as declared: trigger -> value. The trigger is the only truth.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/options.hpp"
#include "mapping/source.hpp"
#include "pg/postgres.hpp"

namespace autosync::config {

struct KeyColumn {
    AttrNumber number = 0;
    std::string name;
    Oid type = InvalidOid;
    std::string type_name; ///< qualified, for casts
};

/// How the canonical key of a link's parent is found for a row.
struct LinkReader {
    bool from_columns = true;         ///< else by joining the parent on the referenced columns
    std::vector<AttrNumber> columns;  ///< of the child, in the order of the parent's key (from_columns)
    std::vector<std::string> names;   ///< of the parent's key columns, in key order
    Oid parent = InvalidOid;
    std::vector<std::pair<std::string, std::string>> join; ///< child column, referenced column (by joining)
};

struct Sync {
    Oid table = InvalidOid;
    Oid trigger = InvalidOid;
    Oid owner = InvalidOid;
    bool partitioned = false;
    bool enabled = true;              ///< the trigger is enabled
    bool has_truncate_trigger = false;
    std::string schema;
    std::string name;
    std::string target;
    mapping::Options options;
    std::vector<KeyColumn> key;
    std::vector<AttrNumber> columns;  ///< attribute numbers of source.columns, same order
    std::vector<Oid> column_types;
    std::vector<Mask> masks;          ///< per column: what stands for its value
    std::string deleted;              ///< condition: such a row counts as deleted; empty: none does
    std::string removes;              ///< condition on the last state of a deleted row: is it to be removed? Empty: on_delete is a word
    std::string version;              ///< expression: which version of its entity the row is; empty: our own tells
    std::vector<LinkReader> links;    ///< same order as source.links
    mapping::Source source;
    std::vector<std::string> expressions; ///< of source.computed, same order
    bool transform_filters = false;   ///< a row for which the option `transform` gives NULL does not match
    std::string problem;              ///< why it cannot be delivered as declared (dropped column, no key, …); empty: fine
};

/// How its entities are called in events.
[[nodiscard]] const std::string &entity_type(const Sync &sync);

/// Reads the arguments of capture(): target and options. Throws pg::Failure for malformed ones.
struct Declaration {
    std::string target;
    mapping::Options options;
};
[[nodiscard]] Declaration read_arguments(const Trigger &trigger);

/// All syncs of the database (top-level row triggers that call capture()), ordered by table and target. Needs a transaction.
[[nodiscard]] std::vector<Sync> load_syncs();
/// One sync; nullopt when it is not declared. Needs a transaction.
[[nodiscard]] std::optional<Sync> load_sync(Oid table, const std::string &target);
/// The sync that this table would have with these options, declared or not: what add_tables(dry_run) shows.
/// Throws pg::Failure with SQLSTATE, detail and hint for whatever the user has to mend.
[[nodiscard]] Sync describe_sync(Oid table, const std::string &target, const mapping::Options &options);

} // namespace autosync::config
