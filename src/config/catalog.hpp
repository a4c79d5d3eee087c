// What the catalogs say of tables, keys and declared triggers; read once per look, then kept for its duration.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/sync.hpp"
#include "mapping/value.hpp"
#include "pg/postgres.hpp"

namespace autosync::config {

struct Attribute {
    AttrNumber number = 0;
    std::string name;
    Oid type = InvalidOid; ///< domains resolved
    bool not_null = false;
    mapping::Type mapped;
};

struct UniqueIndex {
    std::vector<AttrNumber> columns;
    bool primary = false;
    bool immediate = true;
};

struct Table {
    Oid oid = InvalidOid;
    Oid owner = InvalidOid;
    Oid partition_of = InvalidOid; ///< its partitioned table, if it is a partition
    std::string schema;
    std::string name;
    char kind = '\0';        ///< pg_class.relkind
    char persistence = '\0'; ///< pg_class.relpersistence
    std::vector<Attribute> attributes;
    std::vector<UniqueIndex> indexes; ///< valid, on plain columns, of all rows

    [[nodiscard]] const Attribute *attribute(std::string_view wanted) const;
    [[nodiscard]] const Attribute *attribute(AttrNumber wanted) const;
};

/// A trigger that calls capture(), not inherited from a partitioned table.
struct DeclaredTrigger {
    Oid oid = InvalidOid;
    Oid table = InvalidOid;
    std::string name;
    int16 type = 0; ///< pg_trigger.tgtype
    char enabled = 'O';
    Declaration declaration;
    std::string problem; ///< its arguments are malformed
};

class Catalog final {
public:
    [[nodiscard]] const Table *table(Oid oid); ///< nullptr: no such relation
    [[nodiscard]] const std::vector<DeclaredTrigger> &triggers();
    /// The row-level trigger that declares the sync; nullptr: none.
    [[nodiscard]] const DeclaredTrigger *sync(Oid table, std::string_view target);
    /// Its companion for TRUNCATE; nullptr: none.
    [[nodiscard]] const DeclaredTrigger *companion(Oid table, std::string_view target);

private:
    std::map<Oid, std::optional<Table>> tables_;
    std::optional<std::vector<DeclaredTrigger>> triggers_;
};

/// Target and options from the arguments of capture(). Throws pg::Failure.
[[nodiscard]] Declaration parse_arguments(const std::vector<std::string> &arguments);
/// The numbers of '1 2 3' or '{1,2,3}'.
[[nodiscard]] std::vector<AttrNumber> numbers(std::string_view text);
/// 'schema.table', the identity of a table at targets; a name with a dot in it is quoted.
[[nodiscard]] std::string source_name(const std::string &schema, const std::string &table);

} // namespace autosync::config
