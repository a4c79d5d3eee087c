#include "worker/shape.hpp"

#include <utility>

#include <nlohmann/json.hpp>

#include "config/json.hpp"

namespace autosync::worker {

namespace {

std::pair<std::string, std::string> split(const std::string &noted)
{
    const auto end = noted.find('\n');
    return end == std::string::npos ? std::pair{noted, std::string{}} : std::pair{noted.substr(0, end), noted.substr(end + 1)};
}

} // namespace

std::string shape(const config::Sync &sync)
{
    auto key = config::Json::array();
    for (const auto &column : sync.key)
        key.push_back({column.name, column.type_name});
    auto links = config::Json::array();
    for (const auto &link : sync.source.links)
        links.push_back({link.name, link.parent});
    const config::Json text{{"name", sync.source.name}, {"key", std::move(key)}, {"links", std::move(links)}, {"join_table", sync.source.join_table}};
    return text.dump(-1, ' ', false, config::Json::error_handler_t::replace);
}

std::optional<std::string> name_of_shape(const std::string &noted)
{
    const auto text = config::parse_json(split(noted).first);
    return text && text->is_object() ? std::optional{text->value("name", std::string{})} : std::nullopt;
}

Drift drift(const std::string &before, const std::string &now)
{
    const auto [old_shape, old_signature] = split(before);
    const auto [new_shape, new_signature] = split(now);
    return old_shape == new_shape ? compare(old_signature, new_signature) : Drift::changed;
}

} // namespace autosync::worker
