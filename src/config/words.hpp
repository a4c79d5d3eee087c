// Small text helpers of the options: lists of words, likeness, JSON shapes.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace autosync::config {

/// Is `word` one of the comma-separated words of `list`?
[[nodiscard]] constexpr bool lists(std::string_view list, std::string_view word)
{
    while (!list.empty()) {
        const auto comma = list.find(',');
        if (list.substr(0, comma) == word)
            return true;
        if (comma == std::string_view::npos)
            break;
        list.remove_prefix(comma + 1);
    }
    return false;
}

[[nodiscard]] std::string join(std::span<const std::string_view> words, std::string_view separator);
[[nodiscard]] std::string lower(std::string_view text); ///< of ASCII letters
[[nodiscard]] std::string spaced(std::string_view list); ///< 'a,b' as 'a, b'
/// The word that was probably meant; empty when none is like it.
[[nodiscard]] std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);
[[nodiscard]] bool is_json_object(std::string_view text);
[[nodiscard]] bool has_control_characters(std::string_view text);

} // namespace autosync::config
