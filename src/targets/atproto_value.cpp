#include "targets/atproto_value.hpp"

#include <span>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "atproto/base.hpp"
#include "atproto/record.hpp"
#include "atproto/syntax.hpp"
#include "mapping/json.hpp"

namespace autosync::targets::atproto {
namespace {

using mapping::Kind;
using mapping::Scalar;
using nlohmann::json;

json time_of(const std::string &text, bool zoned)
{
    auto time = zoned ? text : text + "Z";
    if (!autosync::atproto::is_datetime(time))
        throw std::invalid_argument{"the AT Protocol knows times of the years 1 to 9999 only"};
    return time;
}

json real_of(double value)
{
    std::string text;
    mapping::json::append_real(text, value);
    return text.starts_with('"') ? text.substr(1, text.size() - 2) : text;
}

json scalar_of(const Scalar &value, Kind kind)
{
    if (std::holds_alternative<std::monostate>(value))
        return nullptr;
    if (const auto *const flag = std::get_if<bool>(&value))
        return *flag;
    if (const auto *const number = std::get_if<std::int64_t>(&value)) {
        const bool exact = *number <= autosync::atproto::most_integer && *number >= -autosync::atproto::most_integer;
        return exact ? json(*number) : json(std::to_string(*number));
    }
    if (const auto *const number = std::get_if<double>(&value))
        return real_of(*number);
    const auto &text = std::get<std::string>(value);
    switch (kind) {
    case Kind::bytes:
        return {{"$bytes", autosync::atproto::to_base64(text)}};
    case Kind::timestamp:
        return time_of(text, false);
    case Kind::timestamptz:
        return time_of(text, true);
    case Kind::json:
        return autosync::atproto::parse_record(text);
    default:
        return text;
    }
}

json list_of(std::span<const Scalar> items, std::span<const int> extents, Kind element)
{
    auto list = json::array();
    if (extents.size() <= 1) {
        for (const auto &item : items)
            list.push_back(scalar_of(item, element));
        return list;
    }
    const auto count = static_cast<std::size_t>(extents.front());
    const auto each = count == 0 ? 0 : items.size() / count;
    for (std::size_t i = 0; i < count; ++i)
        list.push_back(list_of(items.subspan(i * each, each), extents.subspan(1), element));
    return list;
}

} // namespace

json value_of(const mapping::Value &value, const mapping::Type &type)
{
    if (const auto *const list = std::get_if<mapping::List>(&value))
        return list_of(list->items, list->extents, type.element);
    return std::visit(
        [&](const auto &it) -> json {
            if constexpr (std::is_same_v<std::decay_t<decltype(it)>, mapping::List>)
                return nullptr;
            else
                return scalar_of(Scalar{it}, type.kind);
        },
        value);
}

} // namespace autosync::targets::atproto
