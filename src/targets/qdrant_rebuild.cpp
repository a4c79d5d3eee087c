#include "targets/qdrant_rebuild.hpp"

#include <charconv>

#include "mapping/json.hpp"
#include "targets/qdrant_request.hpp"

namespace autosync::targets::qdrant {
namespace {

namespace json = mapping::json;

Planned name_collection(const Server &server, const std::string &alias, const std::string &collection, bool taken)
{
    std::string body = R"({"actions":[)";
    if (taken) {
        body += R"({"delete_alias":{"alias_name":)";
        json::append_string(body, alias);
        body += "}},";
    }
    body += R"({"create_alias":{"collection_name":)";
    json::append_string(body, collection);
    body += R"(,"alias_name":)";
    json::append_string(body, alias);
    return {request_of(server, "POST", "/collections/aliases", body + "}}]}"), {}, nullptr};
}

} // namespace

http::Request aliases_request(const Server &server) { return request_of(server, "GET", "/aliases"); }

std::string next_collection(std::string_view alias, std::string_view current)
{
    unsigned number = 0;
    const bool ours = current.starts_with(alias) && current.size() > alias.size() + 1 && current[alias.size()] == '_';
    if (ours) {
        const auto digits = current.substr(alias.size() + 1);
        const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
        if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size())
            number = 0;
    }
    return std::string(alias) + '_' + std::to_string(number + 1);
}

std::vector<Planned> switch_collections(const Server &server, const std::string &alias, const std::string &current, const std::string &next)
{
    std::vector<Planned> requests;
    const bool is_alias = current != alias;
    if (!is_alias)
        requests.push_back(drop_collection(server, current));
    requests.push_back(name_collection(server, alias, next, is_alias));
    if (is_alias && current != next)
        requests.push_back(drop_collection(server, current));
    return requests;
}

Planned drop_collection(const Server &server, std::string_view collection)
{
    return {request_of(server, "DELETE", collection_path(collection)), {}, nullptr};
}

} // namespace autosync::targets::qdrant
