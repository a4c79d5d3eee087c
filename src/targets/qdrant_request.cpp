#include "targets/qdrant_request.hpp"

#include <utility>

#include "mapping/json.hpp"

namespace autosync::targets::qdrant {
namespace {

namespace json = mapping::json;

std::string percent_encoded(std::string_view text)
{
    constexpr std::string_view hex = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
        if (plain)
            out += c;
        else
            (out += '%').append({hex[byte >> 4U], hex[byte & 15U]});
    }
    return out;
}

void append_list(std::string &out, std::span<const std::string_view> items)
{
    out += '[';
    for (const auto item : items) {
        if (out.back() != '[')
            out += ',';
        out += item;
    }
    out += ']';
}

} // namespace

http::Request request_of(const Server &server, std::string method, std::string_view path, std::string body)
{
    http::Request request{std::move(method), server.access.url + std::string(path), {}, std::move(body)};
    if (!request.body.empty())
        request.headers = {{"Content-Type", "application/json"}};
    return request;
}

std::string collection_path(std::string_view collection, std::string_view rest)
{
    return "/collections/" + percent_encoded(collection) + std::string(rest);
}

http::Request read_points(const Server &server, std::string_view collection, std::span<const std::string_view> ids)
{
    std::string body = R"({"ids":)";
    append_list(body, ids);
    return request_of(server, "POST", collection_path(collection, "/points"),
                      std::move(body) + R"(,"with_payload":{"include":["_v","_hash"]},"with_vector":false})");
}

http::Request read_payload(const Server &server, std::string_view collection, std::string_view id)
{
    return request_of(server, "POST", collection_path(collection, "/points"), R"({"ids":[)" + std::string(id) + R"(],"with_payload":true,"with_vector":false})");
}

http::Request delete_points(const Server &server, std::string_view collection, std::span<const std::string_view> ids)
{
    std::string body = R"({"points":)";
    append_list(body, ids);
    return request_of(server, "POST", collection_path(collection, "/points/delete?wait=true"), std::move(body) + '}');
}

std::string source_condition(const Compiled &mapping)
{
    std::string out = R"({"key":"_source","match":{"value":)";
    json::append_string(out, mapping.source);
    return out + "}}";
}

http::Request delete_source(const Server &server, const Compiled &mapping)
{
    return request_of(server, "POST", collection_path(mapping.written(), "/points/delete?wait=true"),
                      R"({"filter":{"must":[)" + source_condition(mapping) + "]}}");
}

http::Request scroll_keys(const Server &server, const Compiled &mapping, std::string_view after, std::size_t limit)
{
    std::string body = R"({"limit":)" + std::to_string(limit) + R"(,"with_payload":{"include":["_key"]},"with_vector":false)";
    if (!after.empty())
        (body += R"(,"offset":)") += after; // which is where the page begins, so that one point is left out
    body += R"(,"filter":{"must":[)" + source_condition(mapping) + ']';
    if (!after.empty())
        ((body += R"(,"must_not":[{"has_id":[)") += after) += "]}]";
    return request_of(server, "POST", collection_path(mapping.written(), "/points/scroll"), std::move(body) + "}}");
}

http::Request scroll_model(const Server &server, std::string_view collection, const Compiled &mapping)
{
    return request_of(server, "POST", collection_path(collection, "/points/scroll"),
                      R"({"limit":1,"with_payload":{"include":["_model"]},"with_vector":false,"filter":{"must":[)" + source_condition(mapping) +
                          "]}}");
}

} // namespace autosync::targets::qdrant
