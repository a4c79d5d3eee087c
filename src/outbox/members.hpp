// Rows as members of JSON objects, as statements take many at once.
#pragma once

#include <string>
#include <string_view>

namespace autosync::outbox {

/// What a person reads. jsonb takes no U+0000, which a request or an answer may mention.
void append_field(std::string &out, const char *name, std::string_view text);
/// What finds a row again, byte for byte: in an SQL_ASCII database a key need not be UTF-8.
void append_exact(std::string &out, const char *name, std::string_view text);

/// An array of one object per item; `append(out, item)` appends its members.
template <typename Items, typename Append>
std::string array_of(const Items &items, Append &&append)
{
    std::string list = "[";
    for (const auto &item : items) {
        list += list.size() > 1 ? ", {" : "{";
        append(list, item);
        list += '}';
    }
    return list + "]";
}

} // namespace autosync::outbox
