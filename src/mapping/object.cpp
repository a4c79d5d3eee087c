#include "mapping/object.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace autosync::mapping {

namespace {

bool is_reserved(std::string_view name, std::span<const std::string_view> reserved)
{
    return std::ranges::any_of(reserved, [name](std::string_view rule) { return rule.ends_with('*') ? name.starts_with(rule.substr(0, rule.size() - 1)) : name == rule; });
}

/// A walk over the text, which PostgreSQL has made, with a look at the names of the outermost object. Nothing is converted: numbers may be longer
/// than a double, texts and depth are of any size.
class Walk final {
public:
    explicit Walk(std::string_view text) : text_{text} {}

    /// The next name of the outermost object; nullopt: no more.
    [[nodiscard]] std::optional<std::string_view> next()
    {
        for (; at_ < text_.size() && !over_; ++at_) {
            const char here = text_[at_];
            if (here == '{' || here == '[')
                ++depth_;
            else if (here == '}' || here == ']')
                over_ = --depth_ == 0;
            else if (here == ',')
                named_ = named_ && depth_ > 1;
            else if (here == '"')
                if (const auto found = string(); depth_ == 1 && !named_) {
                    named_ = true;
                    ++at_;
                    return found;
                }
        }
        return std::nullopt;
    }
    /// Nothing is open, and nothing comes behind it.
    [[nodiscard]] bool whole() const { return over_ && at_ == text_.size(); }

private:
    /// From its first quote to its last, where the walk stands then.
    std::string_view string()
    {
        const auto begin = ++at_;
        while (at_ < text_.size() && text_[at_] != '"')
            at_ += text_[at_] == '\\' ? 2 : 1;
        return text_.substr(begin, std::min(at_, text_.size()) - begin);
    }

    std::string_view text_;
    std::size_t at_ = 0;
    int depth_ = 0;
    bool named_ = false; ///< the member of the outermost object that the walk is in has its name
    bool over_ = false;
};

} // namespace

std::string_view members_of(std::string_view text, std::span<const std::string_view> reserved)
{
    Walk walk{text};
    while (const auto name = text.starts_with('{') ? walk.next() : std::nullopt)
        if (is_reserved(*name, reserved))
            throw std::invalid_argument{"what the option \"transform\" gives has the member \"" + std::string{*name} + "\", a name that is kept for what autosync writes itself"};
    if (!walk.whole())
        throw std::invalid_argument{"what the option \"transform\" gives is no JSON object"};
    return text.substr(1, text.size() - 2);
}

std::optional<std::size_t> transform_place(const Source &source)
{
    const auto found = std::ranges::find(source.computed, "transform", &Column::name);
    return found == source.computed.end() ? std::nullopt : std::optional{source.columns.size() + static_cast<std::size_t>(found - source.computed.begin())};
}

} // namespace autosync::mapping
