// option_rows(): the table of options as this library has it, for the reference and for whoever writes tools.

#include <algorithm>

#include "config/options.hpp"
#include "operate/rows.hpp"

namespace autosync::operate {

namespace {

std::string type_name(config::OptionType type)
{
    using enum config::OptionType;
    switch (type) {
    case boolean:
        return "boolean";
    case integer:
        return "integer";
    case number:
        return "number";
    case duration:
        return "duration";
    case text:
        return "text";
    case url:
        return "URL";
    case columns:
        return "list of columns";
    case object:
        return "JSON object";
    case described:
        return "text or JSON object";
    case vectors:
        return "list of columns, or JSON object of such lists";
    case vector:
        return "column, or JSON object of columns";
    case expression:
        return "SQL expression";
    case choice:
    case word:
        return "one of";
    case choices:
        return "some of";
    }
    return {};
}

std::vector<std::string> words(std::string_view list)
{
    std::vector<std::string> found;
    for (std::size_t at = 0; at < list.size();) {
        const auto end = std::min(list.find(',', at), list.size());
        found.emplace_back(list.substr(at, end - at));
        at = end + 1;
    }
    return found;
}

pg::Cell limit_text(const config::Option &option, double limit)
{
    if (option.least == 0 && option.most == 0)
        return std::nullopt;
    return std::to_string(static_cast<std::int64_t>(limit));
}

pg::Cell default_text(const config::Option &option)
{
    if (option.fallback.empty())
        return std::nullopt;
    return option.fallback.starts_with('=') ? std::string{option.fallback.substr(1)} : "autosync." + std::string{option.fallback};
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_option_rows)
{
    operate::Rows rows{fcinfo};
    for (const auto &option : config::options())
        rows.add({std::string{option.name}, option.kinds == "*" ? pg::Cell{} : operate::array_text(operate::words(option.kinds)),
                  operate::array_text(operate::words(option.levels)), operate::type_name(option.type), operate::array_text(operate::words(option.choices)),
                  operate::limit_text(option, option.least), operate::limit_text(option, option.most), operate::default_text(option), std::string{option.help}});
    PG_RETURN_VOID();
}
