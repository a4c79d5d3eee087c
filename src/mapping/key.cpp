#include "mapping/key.hpp"

#include <stdexcept>

namespace autosync::mapping {

namespace {

constexpr std::string_view hex = "0123456789abcdef";

/// Reads what append_quoted wrote, one string at a time.
class Reader final {
public:
    explicit Reader(std::string_view text) : rest_{text} {}

    [[nodiscard]] bool skip(char letter)
    {
        if (rest_.empty() || rest_.front() != letter)
            return false;
        rest_.remove_prefix(1);
        return true;
    }
    void expect(char letter)
    {
        if (!skip(letter))
            throw std::invalid_argument{"malformed list of texts"};
    }
    [[nodiscard]] bool done() const { return rest_.empty(); }
    [[nodiscard]] std::string string()
    {
        std::string out;
        expect('"');
        while (!skip('"')) {
            if (rest_.empty())
                throw std::invalid_argument{"malformed list of texts"};
            out += skip('\\') ? escaped() : take();
        }
        return out;
    }

private:
    char take()
    {
        if (rest_.empty())
            throw std::invalid_argument{"malformed list of texts"};
        const char letter = rest_.front();
        rest_.remove_prefix(1);
        return letter;
    }
    char escaped()
    {
        const char letter = take();
        if (letter != 'u')
            return letter;
        expect('0');
        expect('0');
        const auto high = hex.find(take());
        const auto low = hex.find(take());
        if (high == std::string_view::npos || low == std::string_view::npos)
            throw std::invalid_argument{"malformed list of texts"};
        return static_cast<char>(high << 4 | low);
    }

    std::string_view rest_;
};

} // namespace

void append_quoted(std::string &out, std::string_view text)
{
    out += '"';
    for (const char letter : text) {
        const auto code = static_cast<unsigned char>(letter);
        if (letter == '"' || letter == '\\') {
            out += '\\';
            out += letter;
        } else if (code < 0x20) {
            out += "\\u00";
            out += hex[code >> 4];
            out += hex[code & 0x0FU];
        } else {
            out += letter;
        }
    }
    out += '"';
}

std::string key_text(std::span<const KeyPart> parts, std::span<const std::string> texts)
{
    if (parts.size() == 1)
        return texts.front();
    std::string out = "{";
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (i > 0)
            out += ", ";
        append_quoted(out, parts[i].name);
        out += ": ";
        if (parts[i].number)
            out += texts[i];
        else
            append_quoted(out, texts[i]);
    }
    out += '}';
    return out;
}

std::string texts_to_json(std::span<const std::string> texts)
{
    std::string out = "[";
    for (const auto &text : texts) {
        if (out.size() > 1)
            out += ", ";
        append_quoted(out, text);
    }
    out += ']';
    return out;
}

std::vector<std::string> texts_from_json(std::string_view json)
{
    std::vector<std::string> texts;
    Reader reader{json};
    reader.expect('[');
    while (!reader.skip(']')) {
        if (!texts.empty()) {
            reader.expect(',');
            reader.expect(' ');
        }
        texts.push_back(reader.string());
    }
    if (!reader.done())
        throw std::invalid_argument{"malformed list of texts"};
    return texts;
}

} // namespace autosync::mapping
