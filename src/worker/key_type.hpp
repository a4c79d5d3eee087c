// How the columns of a key are compared in SQL, whatever schema their operators live in.
#pragma once

#include <string>

#include "pg/postgres.hpp"

namespace autosync::worker {

struct KeyType {
    Oid type = InvalidOid;  ///< below its domains
    Oid array = InvalidOid; ///< InvalidOid: there is none
    std::string equal;      ///< 'OPERATOR(pg_catalog.=)'
    std::string greater;
    [[nodiscard]] bool integer() const noexcept { return type == INT2OID || type == INT4OID || type == INT8OID; }

    friend bool operator==(const KeyType &, const KeyType &) = default;
};

/// Reads catalogs. Throws SyncTrouble for a type without ordering.
[[nodiscard]] KeyType key_type(Oid declared);

/// The declared type of a column. Throws SyncTrouble when there is no such column.
[[nodiscard]] Oid column_type(Oid table, const std::string &column);

} // namespace autosync::worker
