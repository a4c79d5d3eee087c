// What stands for a column's value at a target: {"email": "hash"}.
#include "config/options.hpp"

#include <stdexcept>

#include "config/json.hpp"

namespace autosync::config {

namespace {

Mask mask_of(const Json &value)
{
    if (value.is_null())
        return {Mask::Way::null, {}};
    const auto text = value.is_string() ? value.get<std::string>() : throw std::invalid_argument{"not a text"};
    if (text == "null")
        return {Mask::Way::null, {}};
    return text == "hash" ? Mask{Mask::Way::hash, {}} : Mask{Mask::Way::text, text};
}

} // namespace

std::map<std::string, Mask> parse_masks(std::string_view value)
{
    const std::invalid_argument malformed{"Write an object, from column to hash, null or the text that stands for it: {\"email\": \"hash\"}."};
    const auto object = parse_json(value);
    if (!object || !object->is_object() || object->empty())
        throw malformed;
    std::map<std::string, Mask> masks;
    for (const auto &[column, mask] : object->items()) {
        if (!mask.is_null() && !mask.is_string())
            throw malformed;
        masks[column] = mask_of(mask);
    }
    return masks;
}

} // namespace autosync::config
