#include "atproto/blob.hpp"

#include <array>
#include <charconv>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace autosync::atproto {
namespace {

using nlohmann::json;
using namespace std::string_view_literals;

struct Mark {
    std::string_view type;
    std::string_view begin;
    std::string_view inner; ///< what stands at `at` besides
    std::size_t at = 0;
};

constexpr std::array marks{
    Mark{"image/png", "\x89PNG\r\n\x1a\n"sv, {}},
    Mark{"image/jpeg", "\xff\xd8\xff"sv, {}},
    Mark{"image/gif", "GIF87a"sv, {}},
    Mark{"image/gif", "GIF89a"sv, {}},
    Mark{"image/webp", "RIFF"sv, "WEBP"sv, 8},
    Mark{"audio/wav", "RIFF"sv, "WAVE"sv, 8},
    Mark{"image/avif", ""sv, "ftypavif"sv, 4},
    Mark{"image/heic", ""sv, "ftypheic"sv, 4},
    Mark{"video/quicktime", ""sv, "ftypqt"sv, 4},
    Mark{"video/mp4", ""sv, "ftyp"sv, 4},
    Mark{"video/webm", "\x1a\x45\xdf\xa3"sv, {}},
    Mark{"audio/mpeg", "ID3"sv, {}},
    Mark{"application/ogg", "OggS"sv, {}},
    Mark{"application/pdf", "%PDF-"sv, {}},
    Mark{"text/vtt", "WEBVTT"sv, {}},
};

constexpr std::size_t most_items = 100; // of a list that is filled by index

[[noreturn]] void refuse(std::string_view text)
{
    throw std::invalid_argument{"\"" + std::string{text} + "\" is no place in a record, as avatar or embed.images[0].image are"};
}

std::string name_of(const Place &place)
{
    std::string text;
    for (const auto &step : place) {
        if (const auto *const index = std::get_if<std::size_t>(&step))
            text += "[" + std::to_string(*index) + "]";
        else
            text += (text.empty() ? "" : ".") + std::get<std::string>(step);
    }
    return text;
}

json *step_into(json &at, const std::variant<std::string, std::size_t> &step)
{
    if (const auto *const index = std::get_if<std::size_t>(&step)) {
        if (at.is_null())
            at = json::array();
        if (!at.is_array() || *index > at.size())
            return nullptr;
        if (*index == at.size())
            at.push_back(nullptr);
        return &at[*index];
    }
    if (at.is_null())
        at = json::object();
    return at.is_object() ? &at[std::get<std::string>(step)] : nullptr;
}

json reference_to(const Blob &blob)
{
    return {{"$type", "blob"}, {"ref", {{"$link", blob.cid}}}, {"mimeType", blob.type}, {"size", blob.bytes.size()}};
}

bool refers_to(const json &value, const Blob &blob)
{
    const auto type = value.find("$type");
    const auto ref = value.find("ref");
    return type != value.end() && *type == "blob" && ref != value.end() && ref->is_object() && ref->value("$link", "") == blob.cid;
}

} // namespace

Place parse_place(std::string_view text)
{
    Place place;
    auto rest = text;
    while (!rest.empty()) {
        if (rest.front() == '[') {
            std::size_t index = 0;
            const auto [end, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), index);
            if (place.empty() || error != std::errc{} || end == rest.data() + rest.size() || *end != ']' || index >= most_items)
                refuse(text);
            place.emplace_back(index);
            rest.remove_prefix(static_cast<std::size_t>(end - rest.data()) + 1);
            continue;
        }
        if (!place.empty() && rest.front() != '.')
            refuse(text);
        if (!place.empty())
            rest.remove_prefix(1);
        const auto name = rest.substr(0, rest.find_first_of(".["));
        if (name.empty() || name.find_first_of("] $") != std::string_view::npos)
            refuse(text);
        place.emplace_back(std::string{name});
        rest.remove_prefix(name.size());
    }
    if (place.empty())
        refuse(text);
    return place;
}

std::string_view content_type_of(std::string_view bytes)
{
    for (const auto &mark : marks)
        if (bytes.starts_with(mark.begin) && (mark.inner.empty() || (bytes.size() > mark.at && bytes.substr(mark.at).starts_with(mark.inner))))
            return mark.type;
    return "application/octet-stream";
}

void place_blob(json &record, const Place &place, const Blob &blob)
{
    json *at = &record;
    for (const auto &step : place) {
        at = step_into(*at, step);
        if (at == nullptr)
            throw std::invalid_argument{"field \"" + name_of(place) + "\" has no place in the record: something else stands on the way there"};
    }
    if (!at->is_null())
        throw std::invalid_argument{"field \"" + name_of(place) + "\" is filled already: a blob is to stand there"};
    *at = reference_to(blob);
}

void retype_references(json &record, const Blob &blob)
{
    if (record.is_object() && refers_to(record, blob)) {
        record["mimeType"] = blob.type;
        return;
    }
    if (record.is_structured())
        for (auto &member : record)
            retype_references(member, blob);
}

} // namespace autosync::atproto
