// Rows as members of JSON objects, as statements take many at once.
#pragma once

#include <string>
#include <string_view>

namespace autosync::outbox {

/// What a person reads. jsonb takes no U+0000, which a request or an answer may mention.
void append_field(std::string &out, const char *name, std::string_view text);
/// What finds a row again, byte for byte: in an SQL_ASCII database a key need not be UTF-8.
void append_exact(std::string &out, const char *name, std::string_view text);

} // namespace autosync::outbox
