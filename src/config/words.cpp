#include "config/words.hpp"

#include <algorithm>
#include <numeric>

#include "config/json.hpp"

namespace autosync::config {

namespace {

/// How many letters must change, come, go or swap with their neighbour to make one word of the other.
std::size_t distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    std::vector<std::size_t> next(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        next[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            next[j] = std::min({row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                next[j] = std::min(next[j], before[j - 2] + 1);
        }
        before.swap(row);
        row.swap(next);
    }
    return row[b.size()];
}

} // namespace

std::string join(std::span<const std::string_view> words, std::string_view separator)
{
    std::string result;
    for (const auto word : words)
        result.append(result.empty() ? "" : separator).append(word);
    return result;
}

std::string lower(std::string_view text)
{
    std::string result{text};
    std::ranges::transform(result, result.begin(),
                           [](char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter; });
    return result;
}

std::string spaced(std::string_view list)
{
    std::string result;
    for (const char letter : list)
        result.append(1, letter).append(letter == ',' ? " " : "");
    return result;
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates)
{
    if (word.size() > 64)
        return {};
    std::string_view best;
    std::size_t least = std::min(word.size() / 3 + 2, word.size()); // a word of which more than about a third differs is another word
    for (const auto candidate : candidates)
        if (const auto letters = distance(word, candidate); letters < least) {
            least = letters;
            best = candidate;
        }
    return best;
}

bool is_json_object(std::string_view text)
{
    const auto parsed = parse_json(text);
    return parsed && parsed->is_object();
}

bool has_control_characters(std::string_view text)
{
    return std::ranges::any_of(text, [](char letter) { return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F; });
}

} // namespace autosync::config
