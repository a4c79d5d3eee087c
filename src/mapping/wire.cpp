#include "mapping/wire.hpp"

#include <cstring>
#include <stdexcept>
#include <type_traits>

namespace autosync::mapping {

namespace {

void put(std::string &out, const void *from, std::size_t size) { out.append(static_cast<const char *>(from), size); }

std::string_view take(std::string_view &bytes, std::size_t size)
{
    if (bytes.size() < size)
        throw std::runtime_error{"packed changes end too early"};
    const auto taken = bytes.substr(0, size);
    bytes.remove_prefix(size);
    return taken;
}

template <typename Number> Number take_as(std::string_view &bytes)
{
    Number number{};
    std::memcpy(&number, take(bytes, sizeof(number)).data(), sizeof(number));
    return number;
}

/// Which alternative it is, then what it holds; lists are dealt with where they may stand.
template <typename Variant> void pack_scalar(std::string &out, const Variant &value)
{
    out += static_cast<char>(value.index());
    std::visit(
        [&](const auto &held) {
            using Held = std::decay_t<decltype(held)>;
            if constexpr (std::is_same_v<Held, std::string>)
                pack(out, std::string_view{held});
            else if constexpr (std::is_arithmetic_v<Held>)
                put(out, &held, sizeof(held));
        },
        value);
}

template <typename Variant> Variant unpack_scalar(std::string_view &bytes, std::size_t index)
{
    switch (index) {
    case 0:
        return std::monostate{};
    case 1:
        return take_as<bool>(bytes);
    case 2:
        return take_as<std::int64_t>(bytes);
    case 3:
        return take_as<double>(bytes);
    case 4:
        return unpack_text(bytes);
    default:
        throw std::runtime_error{"packed changes hold an unknown value"};
    }
}

std::size_t unpack_index(std::string_view &bytes) { return static_cast<unsigned char>(take(bytes, 1).front()); }

void pack_value(std::string &out, const Value &value)
{
    pack_scalar(out, value);
    const auto *const list = std::get_if<List>(&value);
    if (list == nullptr)
        return;
    pack(out, static_cast<std::int64_t>(list->extents.size()));
    for (const int extent : list->extents)
        pack(out, std::int64_t{extent});
    pack(out, static_cast<std::int64_t>(list->items.size()));
    for (const auto &item : list->items)
        pack_scalar(out, item);
}

Value unpack_value(std::string_view &bytes)
{
    constexpr std::size_t list_index = 5;
    static_assert(std::is_same_v<std::variant_alternative_t<list_index, Value>, List>);
    const auto index = unpack_index(bytes);
    if (index != list_index)
        return unpack_scalar<Value>(bytes, index);
    List list;
    for (auto left = unpack_number(bytes); left > 0; --left)
        list.extents.push_back(static_cast<int>(unpack_number(bytes)));
    for (auto left = unpack_number(bytes); left > 0; --left)
        list.items.push_back(unpack_scalar<Scalar>(bytes, unpack_index(bytes)));
    return list;
}

} // namespace

void pack(std::string &out, std::int64_t number) { put(out, &number, sizeof(number)); }

void pack(std::string &out, std::string_view text)
{
    pack(out, static_cast<std::int64_t>(text.size()));
    out += text;
}

std::int64_t unpack_number(std::string_view &bytes) { return take_as<std::int64_t>(bytes); }

std::string unpack_text(std::string_view &bytes)
{
    const auto size = unpack_number(bytes);
    if (size < 0)
        throw std::runtime_error{"packed changes hold a text of no length"};
    return std::string{take(bytes, static_cast<std::size_t>(size))};
}

void pack(std::string &out, const Change &change)
{
    pack(out, static_cast<std::int64_t>(change.source));
    pack(out, std::string_view{change.key});
    pack(out, std::int64_t{change.removed});
    pack(out, static_cast<std::int64_t>(change.row.size()));
    for (const auto &value : change.row)
        pack_value(out, value);
    pack(out, static_cast<std::int64_t>(change.links.size()));
    for (const auto &link : change.links) {
        pack(out, std::int64_t{link.has_value()});
        if (link)
            pack(out, std::string_view{*link});
    }
}

Change unpack(std::string_view &bytes)
{
    Change change;
    change.source = static_cast<std::size_t>(unpack_number(bytes));
    change.key = unpack_text(bytes);
    change.removed = unpack_number(bytes) != 0;
    for (auto left = unpack_number(bytes); left > 0; --left)
        change.row.push_back(unpack_value(bytes));
    for (auto left = unpack_number(bytes); left > 0; --left) {
        auto &link = change.links.emplace_back();
        if (unpack_number(bytes) != 0)
            link = unpack_text(bytes);
    }
    return change;
}

} // namespace autosync::mapping
