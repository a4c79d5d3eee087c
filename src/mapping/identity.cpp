#include "mapping/identity.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <utility>

#include <nlohmann/json.hpp>

namespace autosync::mapping {
namespace {

std::string listed(std::span<const std::string> names)
{
    std::string out;
    for (const auto &name : names)
        out += (out.empty() ? "\"" : ", \"") + name + '"';
    return out;
}

/// Takes a flat object apart without a tree, so that a number's own digits survive and depth cannot hurt.
class FlatObject final : public nlohmann::json_sax<nlohmann::json> {
public:
    explicit FlatObject(std::span<const std::string> names) : names_(names), texts_(names.size()) {}

    [[nodiscard]] const std::string &problem() const { return problem_; }
    [[nodiscard]] std::vector<std::string> texts() const
    {
        std::vector<std::string> out;
        for (std::size_t at = 0; at < names_.size(); ++at) {
            if (!texts_[at])
                throw std::invalid_argument("the key lacks column \"" + names_[at] + "\"");
            out.push_back(*texts_[at]);
        }
        return out;
    }

    bool null() override { return fail("a key column cannot be null"); }
    bool boolean(bool value) override { return set(value ? "true" : "false"); }
    bool number_integer(number_integer_t value) override { return set(std::to_string(value)); }
    bool number_unsigned(number_unsigned_t value) override { return set(std::to_string(value)); }
    bool number_float(number_float_t /*value*/, const string_t &text) override { return set(text); }
    bool string(string_t &value) override { return set(value); }
    bool binary(binary_t & /*value*/) override { return false; }
    bool start_object(std::size_t /*size*/) override { return !std::exchange(inside_, true) || fail("the values of a key cannot be objects"); }
    bool end_object() override { return true; }
    bool start_array(std::size_t /*size*/) override { return fail(inside_ ? "the values of a key cannot be arrays" : "not an object"); }
    bool end_array() override { return true; }
    bool key(string_t &name) override
    {
        const auto found = std::ranges::find(names_, name);
        if (found == names_.end())
            return fail("\"" + name + "\" is not a column of the key (" + listed(names_) + ")");
        current_ = static_cast<std::size_t>(found - names_.begin());
        return !texts_[current_] || fail("column \"" + name + "\" is given twice");
    }
    bool parse_error(std::size_t /*at*/, const std::string & /*token*/, const nlohmann::json::exception & /*error*/) override { return false; }

private:
    bool fail(std::string problem)
    {
        problem_ = std::move(problem);
        return false;
    }
    bool set(std::string text)
    {
        if (!inside_)
            return false;
        texts_[current_] = std::move(text);
        return true;
    }

    std::span<const std::string> names_;
    std::vector<std::optional<std::string>> texts_;
    std::size_t current_ = 0;
    bool inside_ = false;
    std::string problem_;
};

} // namespace

std::vector<std::string> read_key(std::string_view key, std::span<const std::string> names)
{
    if (names.size() == 1)
        return {std::string(key)};
    FlatObject object{names};
    if (!nlohmann::json::sax_parse(key.begin(), key.end(), &object)) {
        const std::string why = object.problem().empty() ? "" : ": " + object.problem();
        throw std::invalid_argument("a key of several columns is written as a JSON object of " + listed(names) + why);
    }
    return object.texts();
}

} // namespace autosync::mapping
