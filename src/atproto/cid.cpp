#include "atproto/cid.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <vector>

#include <nlohmann/json.hpp>
#include <openssl/sha.h>

#include "atproto/base.hpp"

namespace autosync::atproto {
namespace {

using nlohmann::json;

enum Major : unsigned { positive = 0, negative = 1, bytes = 2, text = 3, array = 4, map = 5, tag = 6 };

void append_head(std::string &out, Major major, std::uint64_t number)
{
    const auto first = [&](unsigned info) { out += static_cast<char>(static_cast<unsigned>(major) << 5U | info); };
    unsigned width = 0;
    if (number < 24) {
        first(static_cast<unsigned>(number));
    } else if (number <= 0xFF) {
        first(24);
        width = 1;
    } else if (number <= 0xFFFF) {
        first(25);
        width = 2;
    } else if (number <= 0xFFFFFFFF) {
        first(26);
        width = 4;
    } else {
        first(27);
        width = 8;
    }
    for (unsigned i = width; i-- > 0;)
        out += static_cast<char>(number >> (8 * i) & 0xFFU);
}

void append_text(std::string &out, std::string_view value)
{
    append_head(out, text, value.size());
    out += value;
}

void append(std::string &out, const json &value);

void append_link(std::string &out, const json &link)
{
    const auto raw = link.is_string() ? cid_bytes(link.get_ref<const std::string &>()) : std::string{};
    if (raw.empty())
        throw std::invalid_argument{"malformed \"$link\""};
    constexpr unsigned link_tag = 42;
    append_head(out, tag, link_tag);
    append_head(out, bytes, raw.size() + 1);
    out += '\0';
    out += raw;
}

void append_bytes(std::string &out, const json &value)
{
    const auto raw = value.is_string() ? from_base64(value.get_ref<const std::string &>()) : std::nullopt;
    if (!raw)
        throw std::invalid_argument{"malformed \"$bytes\""};
    append_head(out, bytes, raw->size());
    out += *raw;
}

void append_map(std::string &out, const json &value)
{
    if (value.size() == 1 && value.begin().key() == "$link")
        return append_link(out, value.front());
    if (value.size() == 1 && value.begin().key() == "$bytes")
        return append_bytes(out, value.front());
    std::vector<json::const_iterator> members;
    for (auto member = value.begin(); member != value.end(); ++member)
        members.push_back(member);
    std::ranges::sort(members, [](const auto &a, const auto &b) {
        return a.key().size() != b.key().size() ? a.key().size() < b.key().size() : a.key() < b.key();
    });
    append_head(out, map, members.size());
    for (const auto &member : members) {
        append_text(out, member.key());
        append(out, *member);
    }
}

void append(std::string &out, const json &value)
{
    switch (value.type()) {
    case json::value_t::null:
        out += '\xF6';
        return;
    case json::value_t::boolean:
        out += value.get<bool>() ? '\xF5' : '\xF4';
        return;
    case json::value_t::number_unsigned:
        return append_head(out, positive, value.get<std::uint64_t>());
    case json::value_t::number_integer: {
        const auto number = value.get<std::int64_t>();
        return number >= 0 ? append_head(out, positive, static_cast<std::uint64_t>(number))
                           : append_head(out, negative, static_cast<std::uint64_t>(-1 - number));
    }
    case json::value_t::string:
        return append_text(out, value.get_ref<const std::string &>());
    case json::value_t::array:
        append_head(out, array, value.size());
        for (const auto &item : value)
            append(out, item);
        return;
    case json::value_t::object:
        return append_map(out, value);
    case json::value_t::number_float:
    case json::value_t::binary:
    case json::value_t::discarded:
        break;
    }
    throw std::invalid_argument{"the data model has no floats"};
}

std::string cid(std::string_view block, char codec)
{
    std::string raw{'\x01', codec, '\x12', '\x20'};
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256(reinterpret_cast<const unsigned char *>(block.data()), block.size(), digest.data());
    raw.append(digest.begin(), digest.end());
    return "b" + to_base32(raw);
}

} // namespace

std::string dag_cbor(const json &value)
{
    std::string out;
    append(out, value);
    return out;
}

std::string cid_of(std::string_view block) { return cid(block, '\x71'); }
std::string raw_cid_of(std::string_view bytes) { return cid(bytes, '\x55'); }

std::string cid_bytes(std::string_view text)
{
    constexpr std::size_t length = 36; // version, codec, SHA-256 and its length, digest
    if (!text.starts_with('b'))
        return {};
    auto raw = from_base32(text.substr(1));
    if (!raw || raw->size() != length || (*raw)[0] != '\x01' || (*raw)[2] != '\x12' || (*raw)[3] != '\x20')
        return {};
    return std::move(*raw);
}

} // namespace autosync::atproto
