#include "config/refresh.hpp"

#include <stdexcept>

#include "config/json.hpp"
#include "config/keys.hpp"
#include "config/options.hpp"
#include "pg/spi.hpp"

namespace autosync::config {

namespace {

bool is_integer(Oid type) { return type == INT2OID || type == INT4OID || type == INT8OID; }

Oid find_table(const std::string &schema, const std::string &name)
{
    const auto found = pg::execute_one("SELECT c.oid FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
                                       " CROSS JOIN pg_catalog.parse_ident($2) AS part WHERE c.relkind IN ('r', 'p')"
                                       " AND n.nspname = CASE pg_catalog.array_length(part, 1) WHEN 1 THEN $1 WHEN 2 THEN part[1] END"
                                       " AND c.relname = part[pg_catalog.array_length(part, 1)]",
                                       {schema, name});
    return found ? static_cast<Oid>(std::stoul(*found)) : InvalidOid;
}

std::vector<std::string> columns_of(const Json &value)
{
    std::vector<std::string> columns;
    const auto add = [&](const Json &name) {
        if (!name.is_string())
            throw std::invalid_argument{"option \"refresh_on\" names a column that is no text"};
        columns.push_back(name.get<std::string>());
    };
    if (value.is_array())
        for (const auto &name : value)
            add(name);
    else
        add(value);
    return columns;
}

} // namespace

std::vector<Refresh> refreshes(const Table &parent, const mapping::Options &options)
{
    std::vector<Refresh> found;
    const auto option = options.find("refresh_on");
    if (option == options.end())
        return found;
    const auto object = parse_json(option->second);
    if (!object || !object->is_object() || object->empty())
        throw std::invalid_argument{"option \"refresh_on\" must be an object: table to the column that names the entity, {\"orders\": \"customer_id\"}"};
    for (const auto &[table, columns] : object->items())
        found.push_back({find_table(parent.schema, table), table, columns_of(columns)});
    return found;
}

std::vector<Refresh> checked_refreshes(Catalog &catalog, const Table &parent, const std::vector<KeyColumn> &key, const mapping::Options &options)
{
    auto found = refreshes(parent, options);
    for (const auto &refresh : found) {
        const auto *const child = OidIsValid(refresh.child) ? catalog.table(refresh.child) : nullptr;
        if (child == nullptr)
            throw pg::Failure{ERRCODE_UNDEFINED_TABLE, "table \"" + refresh.table + "\" of option \"refresh_on\" does not exist", {},
                              "Without a schema it is looked for in that of table " + shown(parent) + "."};
        if (child->oid == parent.oid)
            throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "table \"" + refresh.table + "\" of option \"refresh_on\" is the one that is synced"};
        const auto columns = named_columns(*child, "refresh_on", refresh.columns);
        if (columns.size() != key.size())
            throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "option \"refresh_on\" names " + std::to_string(columns.size()) + " columns of table \"" + refresh.table +
                                  "\", but the key has " + std::to_string(key.size()), {}, "Name those that hold the key, in its order: {\"orders\": [\"shop\", \"customer\"]}."};
        for (std::size_t i = 0; i < key.size(); ++i) {
            const Oid wanted = catalog.table(parent.oid)->attribute(key[i].number)->type;
            if (columns[i]->type != wanted && !(is_integer(columns[i]->type) && is_integer(wanted)))
                throw pg::Failure{ERRCODE_DATATYPE_MISMATCH, "column \"" + columns[i]->name + "\" of option \"refresh_on\" is of another type than column \"" + key[i].name + "\" of the key"};
        }
    }
    return found;
}

} // namespace autosync::config
