#include "outbox/members.hpp"

#include "mapping/json.hpp"
#include "mapping/key.hpp"

namespace autosync::outbox {

namespace {

void append_name(std::string &out, const char *name)
{
    out += out.back() == '{' ? "\"" : ", \"";
    out += name;
    out += "\": ";
}

} // namespace

void append_field(std::string &out, const char *name, std::string_view text)
{
    append_name(out, name);
    std::string whole{text};
    for (auto at = whole.find('\0'); at != std::string::npos; at = whole.find('\0', at))
        whole.replace(at, 1, "\uFFFD");
    mapping::json::append_string(out, whole);
}

void append_exact(std::string &out, const char *name, std::string_view text)
{
    append_name(out, name);
    mapping::append_quoted(out, text);
}

} // namespace autosync::outbox
