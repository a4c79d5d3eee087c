// The SQL by which the rows of a sync are read.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "config/sync.hpp"
#include "mapping/key.hpp"
#include "worker/key_type.hpp"

namespace autosync::worker {

/// Which result columns make up the key of a link's parent.
struct LinkColumns {
    std::size_t first = 0;
    std::vector<mapping::KeyPart> parts;

    friend bool operator==(const LinkColumns &, const LinkColumns &) = default;
};

/// All statements give the same columns: those of the key, 'does it match', 'is it deleted' and 'is it to be removed then' where conditions say so, its version where the sync names one, those sent, what expressions give, the keys of the parents.
struct Statement {
    std::vector<KeyType> key;
    std::vector<mapping::KeyPart> key_parts;
    std::vector<LinkColumns> links;
    std::vector<Oid> types; ///< of the result columns
    bool by_arrays = true;  ///< by_keys takes one array per key column, else one value per key column

    [[nodiscard]] std::size_t match() const noexcept { return key.size(); }
    /// Of 'is it deleted', where there is such a condition.
    [[nodiscard]] std::size_t gone() const noexcept { return key.size() + 1; }
    /// Of 'is it to be removed then', where a condition says that, too.
    [[nodiscard]] std::size_t removable() const noexcept { return gone() + 1; }
    /// Of the row's own version, where the sync names it.
    [[nodiscard]] std::size_t version_column() const noexcept { return gone() + (deleted.empty() ? 0 : removes.empty() ? 1 : 2); }
    [[nodiscard]] std::size_t columns() const noexcept { return version_column() + (version.empty() ? 0 : 1); }

    /// Rows by their keys.
    [[nodiscard]] std::string by_keys() const;
    /// Rows that events carry: one array of JSON texts, in their order.
    [[nodiscard]] std::string by_payloads() const;
    /// The next rows in key order: parameters are the key columns of the last one (if `from_position`), then how many. `keys_only`: the
    /// key columns and nothing else, so that no condition is evaluated.
    [[nodiscard]] std::string after(bool from_position, bool keys_only, const std::string &where_clause) const;
    /// What the planner thinks: the first line tells the number of rows.
    [[nodiscard]] std::string estimate(const std::string &where_clause) const;

    // The parts they are made of.
    std::string prefix; ///< no column of the table begins with it
    std::string table;
    std::string row_type;
    std::string alias; ///< by which conditions name a row
    std::string joins;
    std::string keys;
    std::string values;
    std::vector<std::string> computed; ///< expressions, evaluated for rows that match only
    std::string link_values;
    std::string filter;
    std::string deleted;
    std::string removes;
    std::string version;
    std::vector<std::string> key_columns;

    friend bool operator==(const Statement &, const Statement &) = default;

private:
    [[nodiscard]] std::string select(const std::string &where_clause) const;
};

/// Reads catalogs. Throws SyncTrouble when the declaration no longer fits the table.
[[nodiscard]] Statement make_statement(const config::Sync &sync);

} // namespace autosync::worker
