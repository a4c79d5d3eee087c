#include "targets/qdrant_collection.hpp"

#include "config/json.hpp"

namespace autosync::targets::qdrant {
namespace {

const config::Json *member(const config::Json *object, const char *name)
{
    if (object == nullptr || !object->is_object())
        return nullptr;
    const auto found = object->find(name);
    return found == object->end() ? nullptr : &*found;
}

std::string text(const config::Json *value) { return value != nullptr && value->is_string() ? value->get<std::string>() : ""; }

std::optional<config::Json> body_of(const http::Response &response)
{
    return response.failure == http::Response::Failure::none && response.status == 200 ? config::parse_json(response.body) : std::nullopt;
}

std::optional<VectorParams> params_of(const config::Json *declared)
{
    const auto *size = member(declared, "size");
    const auto distance = text(member(declared, "distance"));
    if (size == nullptr || !size->is_number_unsigned() || distance.empty())
        return std::nullopt;
    return VectorParams{size->get<std::size_t>(), distance};
}

} // namespace

std::optional<std::map<std::string, VectorParams>> read_collection(const http::Response &response)
{
    const auto body = body_of(response);
    const auto *vectors = body ? member(member(member(member(&*body, "result"), "config"), "params"), "vectors") : nullptr;
    if (vectors == nullptr || !vectors->is_object())
        return std::nullopt;
    if (const auto unnamed = params_of(vectors))
        return std::map<std::string, VectorParams>{{"", *unnamed}};
    std::map<std::string, VectorParams> named;
    for (const auto &[name, declared] : vectors->items())
        if (const auto params = params_of(&declared))
            named.emplace(name, *params);
    return named;
}

std::string behind_alias(const http::Response &response, const std::string &alias)
{
    const auto body = body_of(response);
    const auto *aliases = body ? member(member(&*body, "result"), "aliases") : nullptr;
    if (aliases == nullptr || !aliases->is_array())
        return "";
    for (const auto &entry : *aliases)
        if (text(member(&entry, "alias_name")) == alias && !text(member(&entry, "collection_name")).empty())
            return text(member(&entry, "collection_name"));
    return alias;
}

} // namespace autosync::targets::qdrant
