// Values of options: how they are written, in triggers, in JSON, as durations and lists.
#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>

#include "config/json.hpp"
#include "config/options.hpp"
#include "config/words.hpp"

namespace autosync::config {

namespace {

std::string_view trimmed(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// May the option be given as a list or an object? One that does not exist is refused for that.
bool takes_structure(std::string_view name)
{
    using enum OptionType;
    const auto all = options();
    const auto option = std::ranges::find(all, name, &Option::name);
    return option == all.end() || (option->type != text && option->type != expression && option->type != url);
}

/// A JSON value as the text of an option.
std::string option_text(const nlohmann::ordered_json &value)
{
    if (value.is_string())
        return value.get<std::string>();
    if (value.is_boolean())
        return value.get<bool>() ? "on" : "off";
    return value.dump();
}

struct Url {
    std::string scheme;
    std::string_view rest; ///< behind '://'
};

std::optional<Url> split_url(std::string_view url)
{
    const auto colon = url.find("://");
    if (colon == std::string_view::npos)
        return std::nullopt;
    return Url{lower(url.substr(0, colon)), url.substr(colon + 3)};
}

/// host and port of an authority; the brackets of an IPv6 address stay with the host.
std::pair<std::string_view, std::string_view> split_host(std::string_view authority)
{
    const auto bracket = authority.rfind(']');
    const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon == std::string_view::npos)
        return {authority, {}};
    return {authority.substr(0, colon), authority.substr(colon + 1)};
}

} // namespace

std::pair<std::string, std::string> split_argument(std::string_view argument)
{
    const auto equals = argument.find('=');
    if (equals == std::string_view::npos || trimmed(argument.substr(0, equals)).empty())
        throw std::invalid_argument{"option \"" + std::string{argument.substr(0, 100)} + "\" is not of the form name=value"};
    return {std::string{trimmed(argument.substr(0, equals))}, std::string{argument.substr(equals + 1)}};
}

Options options_from_json(std::string_view json)
{
    const auto parsed = parse_json(json);
    if (!parsed || !parsed->is_object())
        throw std::invalid_argument{"options must be a JSON object"};
    Options options;
    for (const auto &[name, value] : parsed->items()) {
        if (value.is_null())
            throw std::invalid_argument{"option \"" + name + "\" has no value"};
        if (value.is_structured() && !takes_structure(name))
            throw std::invalid_argument{"option \"" + name + "\" takes one text, not a list or an object"};
        options[name] = option_text(value);
    }
    return options;
}

std::string removal_condition(const Options &options)
{
    const auto option = options.find("on_delete");
    return option == options.end() || option->second == "remove" || option->second == "keep" ? std::string{} : option->second;
}

std::string options_to_json(const Options &options)
{
    const auto table = config::options();
    auto result = nlohmann::ordered_json::object();
    for (const auto &[name, value] : options) {
        const auto found = std::ranges::find(table, name, &Option::name);
        using enum OptionType;
        const bool structured = found != table.end() && (found->type == object || found->type == described || found->type == columns ||
                                                         found->type == vectors || found->type == vector);
        // Only an object or a list: a condition that happens to be JSON stays text.
        const auto parsed = structured && value.find_first_of("{[") == 0 ? parse_json(value) : std::nullopt;
        result[name] = parsed ? *parsed : nlohmann::ordered_json(value);
    }
    return result.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string_view kind_of_url(std::string_view url)
{
    const auto scheme = trimmed(url.substr(0, url.find(':')));
    const auto base = lower(scheme.substr(0, scheme.find('+')));
    const bool bare = base.size() == scheme.size();
    const bool secure = scheme.ends_with("+s") || scheme.ends_with("+ssc");
    if ((base == "neo4j" || base == "bolt") && (bare || secure))
        return "neo4j";
    if ((base == "qdrant" && (bare || secure)) || (base == "qdrants" && bare))
        return "qdrant";
    if (base == "openai" && (bare || scheme.ends_with("+http")))
        return "openai";
    if (base == "atproto" && bare)
        return "atproto";
    return base == "test" && bare ? "test" : "";
}

std::optional<std::string> http_url(std::string_view url)
{
    const auto parts = split_url(trimmed(url));
    const auto kind = kind_of_url(url);
    if (!parts || kind.empty() || kind == "test")
        return std::nullopt;
    const bool secure = parts->scheme.ends_with("+s") || parts->scheme.ends_with("+ssc") || parts->scheme == "qdrants";
    if (kind == "openai") // with its path; without TLS only when said
        return (parts->scheme == "openai" ? "https://" : "http://") + std::string{parts->rest};
    auto authority = parts->rest.substr(0, parts->rest.find_first_of("/?#"));
    if (kind == "atproto" && !authority.empty()) { // over TLS, unless it is on this machine
        const auto host = split_host(authority).first;
        const bool here = host == "localhost" || host == "127.0.0.1" || host == "[::1]";
        return (here ? "http://" : "https://") + std::string{parts->rest};
    }
    if (const auto at = authority.rfind('@'); at != std::string_view::npos)
        authority.remove_prefix(at + 1);
    const auto [host, port] = split_host(authority);
    if (host.empty())
        return std::nullopt;
    // Aura answers HTTPS at its ordinary port; a server of one's own at Neo4j's.
    const bool aura = host.ends_with(".databases.neo4j.io");
    std::string result = (secure ? "https://" : "http://") + std::string{host};
    if (kind == "qdrant")
        result += ":" + (port.empty() || port == "6334" ? std::string{"6333"} : std::string{port}); // 6334 is that of gRPC
    else if (port.empty() || port == "7687")
        result += aura ? "" : secure ? ":7473" : ":7474";
    else
        result += ":" + std::string{port};
    return result;
}

std::string url_problem(std::string_view url)
{
    if (has_control_characters(url) || url.find_first_of(" \\\"<>^`{|}") != std::string_view::npos)
        return "A URL has no blanks or control characters.";
    const auto parts = split_url(url);
    if (!parts || (parts->scheme != "http" && parts->scheme != "https"))
        return "The URL must begin with http:// or https://.";
    if (parts->rest.find_first_of("?#") != std::string_view::npos)
        return "The URL must not have a query or a fragment.";
    const auto authority = parts->rest.substr(0, parts->rest.find('/'));
    if (authority.find('@') != std::string_view::npos)
        return "User name and password belong into the user mapping.";
    const auto [host, port] = split_host(authority);
    if (host.empty())
        return "The URL names no host.";
    if (authority.size() == host.size())
        return {};
    unsigned number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    return error == std::errc{} && end == port.data() + port.size() && number >= 1 && number <= 65'535 ? "" : "The port must be between 1 and 65535.";
}

bool parse_boolean(std::string_view value)
{
    const auto word = lower(trimmed(value));
    if (lists("on,true,yes,1", word))
        return true;
    if (lists("off,false,no,0", word))
        return false;
    throw std::invalid_argument{"The value must be on or off."};
}

std::chrono::milliseconds parse_duration(std::string_view value)
{
    constexpr std::array<std::pair<std::string_view, double>, 6> units{
        {{"ms", 1}, {"s", 1'000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}, {"", 1'000}}};
    const auto text = trimmed(value);
    double amount = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount, std::chars_format::fixed);
    const auto unit = error == std::errc{} ? trimmed(text.substr(static_cast<std::size_t>(end - text.data()))) : "?";
    for (const auto &[name, factor] : units)
        if (unit == name && amount >= 0 && amount * factor <= 1e14)
            return std::chrono::milliseconds{static_cast<std::int64_t>(amount * factor)};
    throw std::invalid_argument{"The value must be a duration such as '500ms', '10s', '5min', '1h' or '7d'."};
}

std::vector<std::string> parse_columns(std::string_view value)
{
    const std::invalid_argument malformed{"The value must be a list of names: a JSON array, or names separated by commas."};
    std::vector<std::string> names;
    auto text = trimmed(value);
    if (text.starts_with('[')) {
        const auto parsed = parse_json(text);
        if (!parsed)
            throw malformed;
        for (const auto &name : *parsed) {
            if (!name.is_string())
                throw malformed;
            names.push_back(name.get<std::string>());
        }
    } else {
        while (true) {
            const auto comma = text.find(',');
            names.emplace_back(trimmed(text.substr(0, comma)));
            if (comma == std::string_view::npos)
                break;
            text.remove_prefix(comma + 1);
        }
    }
    if (names.empty() || std::ranges::find(names, "") != names.end())
        throw malformed;
    for (auto it = names.begin(); it != names.end(); ++it)
        if (std::find(names.begin(), it, *it) != it)
            throw std::invalid_argument{"The name \"" + *it + "\" stands twice in the list."};
    return names;
}

} // namespace autosync::config
