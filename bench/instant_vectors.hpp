// Stands for a Qdrant server and an embedding provider that cost nothing: what success looks like, for each address that a sync asks.
#pragma once

#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "instant_json.hpp"

namespace instant {

constexpr int dimensions = 384;

/// A vector as a provider writes it: nine digits a number, each time the same.
inline const std::string &vector_text()
{
    static const std::string text = [] {
        std::string numbers = "[";
        for (int i = 0; i < dimensions; ++i) {
            std::array<char, 32> digits{};
            const double value = (i * 37 % 200 - 99) / 1951.7 + 1e-5;
            const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed, 9).ptr;
            numbers += i == 0 ? "" : ", ";
            numbers.append(digits.data(), end);
        }
        return numbers + "]";
    }();
    return text;
}

inline Answer embeddings(std::string_view request)
{
    constexpr std::string_view name = R"("input":[)";
    auto at = request.find(name);
    const std::size_t texts = at == std::string_view::npos ? 1 : count_members(request, at += name.size());
    Answer answer{R"({"object":"list","data":[)"};
    for (std::size_t i = 0; i < texts; ++i)
        answer.body += (i == 0 ? R"({"object":"embedding","index":)" : R"(,{"object":"embedding","index":)") + std::to_string(i) + R"(,"embedding":)" + vector_text() + "}";
    answer.body += R"(],"model":"instant","usage":{"prompt_tokens":)" + std::to_string(texts * 50) + R"(,"total_tokens":)" + std::to_string(texts * 50) + "}}";
    return answer;
}

inline std::size_t occurrences(std::string_view text, std::string_view what)
{
    std::size_t count = 0;
    for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + what.size()))
        ++count;
    return count;
}

/// Every operation of the batch is completed; its rows are the points that it brings.
inline Answer batch(std::string_view request)
{
    constexpr std::array<std::string_view, 6> operations{R"({"upsert":)",         R"({"overwrite_payload":)", R"({"delete_payload":)",
                                                         R"({"update_vectors":)", R"({"delete_vectors":)",    R"({"delete":)"};
    Answer answer{R"({"result":[)"};
    for (const auto operation : operations)
        for (auto left = occurrences(request, operation); left > 0; --left)
            answer.body += std::string{answer.body.back() == '[' ? "" : ","} + R"({"operation_id":1,"status":"completed"})";
    answer.body += R"(],"status":"ok","time":0.0})";
    answer.rows = occurrences(request, R"("vector":)");
    return answer;
}

/// nullopt: an address of neither.
inline std::optional<Answer> answer_for(std::string_view path, std::string_view request)
{
    const auto ends_with = [&](std::string_view end) { return path.substr(0, path.find('?')).ends_with(end); };
    if (ends_with("/embeddings"))
        return embeddings(request);
    if (ends_with("/points/batch"))
        return batch(request);
    if (path == "/aliases")
        return Answer{R"({"result":{"aliases":[]},"status":"ok","time":0.0})"};
    if (!path.starts_with("/collections"))
        return path == "/" ? std::optional{Answer{R"({"title":"qdrant - vector search engine","version":"1.18.3"})"}} : std::nullopt;
    if (ends_with("/points/scroll") || ends_with("/points/query"))
        return Answer{R"({"result":{"points":[],"next_page_offset":null},"status":"ok","time":0.0})"};
    if (ends_with("/points"))
        return Answer{R"({"result":[],"status":"ok","time":0.0})"};
    if (ends_with("/index") || ends_with("/points/delete"))
        return Answer{R"({"result":{"operation_id":1,"status":"completed"},"status":"ok","time":0.0})"};
    return Answer{R"({"result":{"status":"green","points_count":0,"config":{"params":{"vectors":{"size":)" + std::to_string(dimensions) +
                  R"(,"distance":"Cosine"}}},"payload_schema":{}},"status":"ok","time":0.0})"};
}

} // namespace instant
