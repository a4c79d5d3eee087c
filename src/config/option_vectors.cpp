// Options of syncs that give vectors: which columns make them.
#include <algorithm>
#include <stdexcept>

#include "config/json.hpp"
#include "config/options.hpp"

namespace autosync::config {

Vectors parse_vectors(std::string_view value)
{
    if (value.find_first_not_of(" \t\r\n") == std::string_view::npos)
        throw std::invalid_argument{"The value must not be empty."};
    if (value[value.find_first_not_of(" \t\r\n")] != '{')
        return {{"", parse_columns(value)}};
    const auto parsed = parse_json(value);
    if (!parsed || !parsed->is_object() || parsed->empty())
        throw std::invalid_argument{"The value must be columns, or a JSON object: the name of a vector to columns."};
    Vectors vectors;
    for (const auto &[name, columns] : parsed->items()) {
        if (name.empty() || (!columns.is_string() && !columns.is_array()))
            throw std::invalid_argument{"The value must be columns, or a JSON object: the name of a vector to columns."};
        vectors[name] = parse_columns(columns.is_string() ? Json::array({columns}).dump() : columns.dump());
    }
    return vectors;
}

bool gives_vectors(const Options &options)
{
    return options.contains("embed") || options.contains("embed_expression") || options.contains("vector");
}

std::vector<std::string> vector_columns(const Options &options)
{
    std::vector<std::string> names;
    for (const auto *const option : {"embed", "vector"})
        if (const auto found = options.find(option); found != options.end())
            for (const auto &[vector, columns] : parse_vectors(found->second))
                for (const auto &column : columns)
                    if (std::ranges::find(names, column) == names.end())
                        names.push_back(column);
    return names;
}

} // namespace autosync::config
