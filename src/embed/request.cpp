#include "embed/request.hpp"

#include "mapping/json.hpp"

namespace autosync::embed {

namespace json = mapping::json;

std::size_t estimated_tokens(std::string_view text) { return (text.size() + 2) / 3; }

std::size_t first_piece(const Embedder &embedder, std::span<const std::string_view> texts)
{
    std::size_t count = 0;
    std::size_t tokens = 0;
    for (const auto text : texts) {
        tokens += estimated_tokens(text);
        if (count > 0 && (count >= embedder.max_inputs || tokens > embedder.max_tokens_per_request))
            break;
        ++count;
    }
    return count;
}

http::Request embeddings_request(const Embedder &embedder, std::string_view model, unsigned dimensions, std::span<const std::string_view> texts)
{
    http::Request request;
    request.url = embedder.access.url + "/embeddings";
    request.headers = {{"Content-Type", "application/json"}};
    if (!embedder.organization.empty())
        request.headers.emplace_back("OpenAI-Organization", embedder.organization);
    request.peer = http::Peer::embedder;
    auto &body = request.body;
    body = R"({"model":)";
    json::append_string(body, model);
    body += R"(,"encoding_format":"float")";
    if (dimensions > 0)
        body += R"(,"dimensions":)" + std::to_string(dimensions);
    body += R"(,"input":[)";
    for (const auto text : texts) {
        if (body.back() != '[')
            body += ',';
        json::append_string(body, text);
    }
    body += "]}";
    return request;
}

std::string_view first_half(std::string_view text)
{
    std::size_t length = text.size() / 2;
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U)
        --length;
    return text.substr(0, length);
}

} // namespace autosync::embed
