#include "config/masking.hpp"

#include <algorithm>
#include <stdexcept>

#include "config/keys.hpp"
#include "pg/spi.hpp"

namespace autosync::config {

namespace {

std::map<std::string, Mask> read_masks(const std::string &value)
{
    try {
        return parse_masks(value);
    } catch (const std::invalid_argument &error) {
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "invalid value for option \"mask\": " + value, {}, error.what()};
    }
}

} // namespace

std::map<std::string, Mask> column_masks(const Table &table, const std::vector<KeyColumn> &key, const mapping::Options &options)
{
    const auto option = options.find("mask");
    if (option == options.end())
        return {};
    auto masks = read_masks(option->second);
    const auto vectors = options.find("vector");
    for (const auto &[column, mask] : masks) {
        (void)named_columns(table, "mask", std::vector<std::string>{column});
        if (std::ranges::find(key, column, &KeyColumn::name) != key.end())
            throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "column \"" + column + "\" of option \"mask\" is part of the key", "The key names the row at the target.",
                              "Name other columns that identify the rows in the option \"key\"."};
        if (vectors == options.end())
            continue;
        for (const auto &[name, columns] : parse_vectors(vectors->second))
            if (std::ranges::find(columns, column) != columns.end())
                throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "column \"" + column + "\" of option \"mask\" holds a vector", {},
                                  "Leave it out of the option \"vector\" or of \"mask\"."};
    }
    return masks;
}

std::string deleted_condition(const Table &table, const mapping::Options &options)
{
    const auto option = options.find("soft_delete");
    if (option == options.end())
        return {};
    const auto *const column = table.attribute(option->second);
    if (column == nullptr)
        return option->second;
    const std::string name = pg::quote(table.name) + "." + pg::quote(column->name);
    return column->type == BOOLOID ? name : name + " IS NOT NULL";
}

} // namespace autosync::config
