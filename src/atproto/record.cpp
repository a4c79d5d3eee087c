#include "atproto/record.hpp"

#include <cmath>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "atproto/base.hpp"
#include "atproto/cid.hpp"
#include "atproto/syntax.hpp"

namespace autosync::atproto {
namespace {

using nlohmann::json;

constexpr std::size_t most_bytes = 1U << 20; // of a record, by the specification
constexpr int most_depth = 32;

[[noreturn]] void refuse(const std::string &path, const std::string &why)
{
    throw std::invalid_argument{path.empty() ? "the record " + why : "field \"" + path + "\" " + why};
}

void check_integer(json &value, const std::string &path)
{
    if (value.is_number_float()) {
        const double number = value.get<double>();
        if (std::trunc(number) != number || std::fabs(number) > static_cast<double>(most_integer))
            refuse(path, "is not an integer of at most 2^53-1: the AT Protocol has no other numbers, send it as a string");
        value = static_cast<std::int64_t>(number);
        return;
    }
    const bool fits = value.is_number_unsigned() ? value.get<std::uint64_t>() <= static_cast<std::uint64_t>(most_integer)
                                                 : value.get<std::int64_t>() >= -most_integer;
    if (!fits)
        refuse(path, "is beyond 2^53-1: send it as a string");
}

void check(json &value, const std::string &path);

void check_object(json &value, const std::string &path)
{
    if (const auto bytes = value.find("$bytes"); bytes != value.end()) {
        if (value.size() != 1 || !bytes->is_string() || !from_base64(bytes->get_ref<const std::string &>()))
            refuse(path, "holds malformed \"$bytes\": base64 is expected, and nothing beside it");
        return;
    }
    if (const auto link = value.find("$link"); link != value.end()) {
        if (value.size() != 1 || !link->is_string() || cid_bytes(link->get_ref<const std::string &>()).empty())
            refuse(path, "holds a malformed \"$link\": a CID is expected, and nothing beside it");
        return;
    }
    if (const auto type = value.find("$type"); type != value.end() && (!type->is_string() || type->get_ref<const std::string &>().empty()))
        refuse(path, "holds a malformed \"$type\"");
    for (auto member = value.begin(); member != value.end(); ++member)
        check(member.value(), path.empty() ? member.key() : path + "." + member.key());
}

void check(json &value, const std::string &path)
{
    if (value.is_number()) {
        check_integer(value, path);
    } else if (value.is_object()) {
        check_object(value, path);
    } else if (value.is_array()) {
        for (std::size_t i = 0; i < value.size(); ++i)
            check(value[i], path + "[" + std::to_string(i) + "]");
    }
}

} // namespace

json parse_record(std::string_view text)
{
    if (text.size() > 2 * most_bytes)
        refuse("", "is longer than 1 MiB");
    bool deep = false;
    const auto watch = [&deep](int depth, json::parse_event_t, json &) {
        deep = deep || depth > most_depth;
        return !deep;
    };
    json value = json::parse(text, watch, false);
    if (deep)
        refuse("", "is nested too deeply");
    if (value.is_discarded())
        refuse("", "is not JSON, or holds a number out of range");
    return value;
}

Record finish_record(json value, const std::string &collection, const std::string &created_at)
{
    if (!value.is_object())
        refuse("", "is not a JSON object");
    const auto type = value.emplace("$type", collection).first;
    if (*type != collection)
        refuse("$type", "is not the collection, \"" + collection + "\"");
    const auto created = value.emplace("createdAt", created_at).first;
    if (!created->is_string() || !is_datetime(created->get_ref<const std::string &>()))
        refuse("createdAt", "is not a time with 'T' and a zone, as 2024-02-29T12:34:56.789Z");
    check(value, "");
    const auto block = dag_cbor(value);
    if (block.size() > most_bytes)
        refuse("", "is longer than 1 MiB");
    return {value.dump(-1, ' ', false, json::error_handler_t::replace), cid_of(block)};
}

} // namespace autosync::atproto
