#include "outbox/word.hpp"

#include <charconv>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "mapping/json.hpp"

namespace autosync::outbox {

namespace {

namespace json = mapping::json;

constexpr std::string_view opening = R"({"by": )";
// A quote within a text is escaped, so that this stands nowhere before its place.
constexpr std::string_view before_payload = R"(, "payload": )";

} // namespace

std::string to_text(const Word &word)
{
    std::string text{opening};
    const auto append = [&text](const char *name, const std::string &value) {
        text += name;
        json::append_string(text, value);
    };
    json::append_integer(text, word.speaker);
    append(R"(, "event_type": )", word.event_type);
    append(R"(, "entity_type": )", word.entity_type);
    append(R"(, "entity_id": )", word.entity_id);
    if (word.version) {
        text += R"(, "source_version": )";
        json::append_integer(text, *word.version);
    }
    text.append(before_payload).append(word.payload).append("}");
    return text;
}

Word read_word(std::string_view text)
{
    const auto damaged = [] { return std::runtime_error{"the text of an emitted event is damaged"}; };
    const auto end = text.find(before_payload);
    if (end == std::string_view::npos || !text.starts_with(opening) || !text.ends_with('}'))
        throw damaged();
    const auto head = nlohmann::json::parse(std::string{text.substr(0, end)} + '}', nullptr, false);
    const auto of = [&](const char *name) {
        const auto found = head.find(name);
        if (found == head.end() || !found->is_string())
            throw damaged();
        return found->get<std::string>();
    };
    if (!head.is_object() || !head.contains("by") || !head["by"].is_number_unsigned())
        throw damaged();
    Word word{head["by"].get<std::uint32_t>(), of("event_type"), of("entity_type"), of("entity_id"), {}, {}};
    if (const auto version = head.find("source_version"); version != head.end()) {
        if (!version->is_number_integer())
            throw damaged();
        word.version = version->get<std::int64_t>();
    }
    word.payload = text.substr(end + before_payload.size(), text.size() - end - before_payload.size() - 1);
    return word;
}

std::uint32_t speaker_of(std::string_view text) noexcept
{
    std::uint32_t speaker = 0;
    if (text.starts_with(opening))
        (void) std::from_chars(text.data() + opening.size(), text.data() + text.size(), speaker);
    return speaker;
}

} // namespace autosync::outbox
