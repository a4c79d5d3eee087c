// JSON of options: parsed within limits. For .cpp files only, nlohmann is slow to compile.
#pragma once

#include <optional>
#include <string_view>

#include <nlohmann/json.hpp>

namespace autosync::config {

inline constexpr std::size_t most_json_bytes = 1U << 20;
inline constexpr int most_json_depth = 16;

using Json = nlohmann::ordered_json;

/// nullopt: malformed, too long or too deep. Members keep their order.
[[nodiscard]] inline std::optional<Json> parse_json(std::string_view text)
{
    if (text.size() > most_json_bytes)
        return std::nullopt;
    int deepest = 0;
    const auto watch = [&deepest](int depth, Json::parse_event_t, Json &) {
        deepest = depth > deepest ? depth : deepest;
        return depth <= most_json_depth;
    };
    Json parsed = Json::parse(text, watch, false);
    if (parsed.is_discarded() || deepest > most_json_depth)
        return std::nullopt;
    return parsed;
}

} // namespace autosync::config
