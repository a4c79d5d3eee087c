#include "config/keys.hpp"

#include <algorithm>

#include "config/options.hpp"
#include "config/types.hpp"
#include "config/words.hpp"
#include "pg/bridge.hpp"

namespace autosync::config {

namespace {

KeyColumn key_column(const Attribute &attribute) { return {attribute.number, attribute.name, attribute.type, type_name(attribute.type)}; }

pg::Failure no_key(const Table &table, const std::string &detail)
{
    return pg::Failure{ERRCODE_INVALID_TABLE_DEFINITION, "option \"key\" names columns that do not identify the rows of table " + shown(table),
                       detail, "Name the columns of a unique index that is valid, not partial and not deferrable, all of them NOT NULL."};
}

} // namespace

std::string shown(const Table &table) { return '"' + source_name(table.schema, table.name) + '"'; }

std::vector<const Attribute *> named_columns(const Table &table, std::string_view option, const std::string &list)
{
    return named_columns(table, option, parse_columns(list));
}

std::vector<const Attribute *> named_columns(const Table &table, std::string_view option, const std::vector<std::string> &wanted)
{
    std::vector<const Attribute *> found;
    for (const auto &name : wanted) {
        const auto *const attribute = table.attribute(name);
        if (attribute == nullptr) {
            std::vector<std::string_view> names;
            for (const auto &it : table.attributes)
                names.emplace_back(it.name);
            const auto near = nearest(name, names);
            throw pg::Failure{ERRCODE_UNDEFINED_COLUMN,
                              "column \"" + name + "\" of option \"" + std::string{option} + "\" does not exist in table " + shown(table),
                              {},
                              near.empty() ? "Its columns are: " + join(names, ", ") + "."
                                           : "Perhaps you meant the column \"" + std::string{near} + "\"."};
        }
        found.push_back(attribute);
    }
    return found;
}

std::vector<KeyColumn> choose_key(const Table &table, const mapping::Options &options)
{
    std::vector<KeyColumn> key;
    if (const auto option = options.find("key"); option != options.end()) {
        const auto columns = named_columns(table, "key", option->second);
        for (const auto *const attribute : columns) {
            if (!attribute->not_null)
                throw no_key(table, "Column \"" + attribute->name + "\" may be NULL.");
            key.push_back(key_column(*attribute));
        }
        const auto in_key = [&](AttrNumber number) { return std::ranges::find(key, number, &KeyColumn::number) != key.end(); };
        const auto covers = [&](const UniqueIndex &index) { return index.immediate && std::ranges::all_of(index.columns, in_key); };
        if (std::ranges::none_of(table.indexes, covers))
            throw no_key(table, "No unique index covers them.");
        return key;
    }
    const auto primary = std::ranges::find(table.indexes, true, &UniqueIndex::primary);
    if (primary == table.indexes.end())
        throw pg::Failure{ERRCODE_INVALID_TABLE_DEFINITION, "table " + shown(table) + " has no primary key",
                          "Without a key a row cannot be told from another.",
                          "Add a primary key, or name the columns of a unique index on NOT NULL columns with the option \"key\"."};
    for (const auto number : primary->columns)
        key.push_back(key_column(*table.attribute(number)));
    return key;
}

} // namespace autosync::config
