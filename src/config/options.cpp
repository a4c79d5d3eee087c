#include "config/options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>

#include "config/words.hpp"

namespace autosync::config {

namespace {

using enum OptionType;

constexpr double day = 86'400'000;
constexpr double most_whole = 2'000'000'000;
constexpr std::string_view targets = "atproto,neo4j,test,qdrant"; // not those that only serve them
constexpr std::string_view secret_file = "file below autosync.secrets_directory that holds it";

// Sorted by level, then as a reader looks for them. An option exists only when something obeys it.
constexpr std::array table{
    Option{"url", url, "neo4j,qdrant", "server", "", "", "HTTP URL of the server, http://host:7474, http://host:6333 or https://host"},
    Option{"url", url, "atproto", "server", "", "", "HTTP URL of the PDS; default: found from each DID"},
    Option{"url", url, "openai", "server", "", "", "base URL of an OpenAI-compatible API, https://api.openai.com/v1"},
    Option{"database", text, "neo4j", "server", "", "=neo4j", "database at the server"},
    Option{"embedder", text, "qdrant", "server", "", "", "server of autosync_openai that turns texts into vectors"},
    Option{"embed_url", url, "qdrant", "server", "", "", "base URL of an OpenAI-compatible API, in place of a server for it"},
    Option{"organization", text, "openai", "server", "", "", "sent as OpenAI-Organization"},
    Option{"model", text, "qdrant", "server,sync", "", "", "embedding model; default: that of the embedder's server"},
    Option{"model", text, "openai", "server", "", "", "embedding model, unless the target or the sync names one"},
    Option{"dimensions", integer, "qdrant", "server,sync", "", "", "length of the vectors; default: the model's own", 1, 65'536},
    Option{"distance", choice, "qdrant", "server", "Cosine,Dot,Euclid,Manhattan", "=Cosine", "how the vectors of a new collection are compared"},
    Option{"max_inputs", integer, "qdrant,openai", "server", "", "=2048", "most texts in one request to the embedder", 1, 100'000},
    Option{"max_tokens_per_request", integer, "qdrant,openai", "server", "", "=200000", "most tokens in it, as estimated", 1, most_whole},
    Option{"fail", text, "test", "server", "", "", "POSIX regular expression: what matches it, in a document or a key, is refused"},
    Option{"plc_url", url, "atproto", "server", "", "=https://plc.directory", "directory of DIDs"},
    Option{"pending", boolean, "atproto", "server", "", "=on", "what waits for a session is kept; off: it fails"},
    Option{"pending_ttl", duration, "atproto", "server", "", "=1h", "how long it is kept", 1'000, 3'660 * day},
    Option{"pending_max_attempts", integer, "atproto", "server", "", "=3", "attempts after a session came back", 1, 1'000},
    Option{"auto_retry", boolean, "atproto", "server", "", "=on", "deliver what waits as soon as there is a session"},
    Option{"enabled", boolean, targets, "server,sync", "", "enabled", "off: nothing is captured for it"},
    Option{"batch_size", integer, targets, "server,sync", "", "batch_size", "most entities in one request", 1, 100'000},
    Option{"max_in_flight", integer, targets, "server,sync", "", "max_in_flight", "most requests under way at once", 1, 64},
    Option{"max_attempts", integer, targets, "server,sync", "", "max_attempts", "attempts for an entity that the target refuses", 1, 1'000},
    Option{"retry_initial_delay", duration, targets, "server,sync", "", "retry_initial_delay", "pause after the first failure, doubled with each", 1, day},
    Option{"retry_max_delay", duration, targets, "server,sync", "", "retry_max_delay", "longest pause between attempts", 1, day},
    Option{"event_ttl", duration, targets, "server,sync", "", "event_ttl", "age at which undelivered changes are given up (EXPIRED), 0 for never", 0, 3'660 * day},
    Option{"request_timeout", duration, targets, "server,sync", "", "request_timeout", "longest time one request may take, and, up to a minute, one reading of rows", 1, day},
    Option{"debounce", duration, targets, "server,sync", "", "debounce", "gather changes of one entity for so long, counted from the first, and deliver them as one; 0: deliver at once", 0, day},
    Option{"delivery", choice, targets, "server,sync", "async,wait,sync", "delivery", "wait: COMMIT returns when the change has arrived; sync: it is also sent once before the transaction commits"},
    Option{"rate_limit", number, targets, "server,sync", "", "=0", "requests per second, 0 for no limit", 0, 1'000'000},
    Option{"sslmode", choice, "*", "server", "verify-full,verify-ca,require", "=verify-full", "how the server's certificate is checked"},
    Option{"sslrootcert", text, "*", "server", "", "", "file with the certificate authorities to trust"},
    Option{"sslcert", text, "*", "server", "", "", "file with the client certificate"},
    Option{"sslkey", text, "*", "server", "", "", "file with the key of the client certificate"},

    Option{"username", text, "neo4j", "mapping", "", "", "user name at the server"},
    Option{"username_file", text, "neo4j", "mapping", "", "", secret_file},
    Option{"password", text, "neo4j", "mapping", "", "", "password of that user"},
    Option{"password_file", text, "neo4j", "mapping", "", "", secret_file},
    Option{"bearer_token", text, "neo4j", "mapping", "", "", "token that is sent in place of user name and password"},
    Option{"bearer_token_file", text, "neo4j", "mapping", "", "", secret_file},
    Option{"api_key", text, "qdrant", "mapping", "", "", "key that the server asks for, sent as api-key"},
    Option{"api_key", text, "openai", "mapping", "", "", "key that the API asks for, sent as a bearer token"},
    Option{"api_key_file", text, "qdrant,openai", "mapping", "", "", secret_file},
    Option{"embed_api_key", text, "qdrant", "mapping", "", "", "key that the API behind embed_url asks for, sent as a bearer token"},
    Option{"embed_api_key_file", text, "qdrant", "mapping", "", "", secret_file},

    Option{"key", columns, "*", "sync", "", "", "columns that identify the entity; default: the primary key"},
    Option{"columns", columns, "*", "sync", "", "", "columns that are sent; default: all"},
    Option{"exclude", columns, "*", "sync", "", "", "columns that are not sent"},
    Option{"filter", expression, "*", "sync", "", "", "condition on the row: should it be synced?"},
    Option{"on_filtered", choice, "*", "sync", "remove,keep", "=remove", "what happens to a row that no longer matches the filter"},
    Option{"soft_delete", expression, "*", "sync", "", "", "column, or condition on the row, that says it is deleted: not null, of type boolean true"},
    Option{"mask", object, "*", "sync", "", "", "column to what stands for its value: hash, null, or a text"},
    Option{"on_delete", expression, "*", "sync", "remove,keep", "=remove", "what happens at the target when a row is deleted: remove, keep, or a condition on the row as it was, true for remove; it is asked when the row is deleted, so whatever goes otherwise (TRUNCATE) is kept"},
    Option{"refresh_on", object, "*", "sync", "", "", "table to the column that names the entity: it is delivered anew when those rows change; several columns, in the order of the key, as a list"},
    Option{"max_lag", duration, "*", "sync", "", "", "age of the oldest undelivered change at which health(), a notification and the log say so, and again when it has caught up", 100, 3'660 * day},
    Option{"lane", text, "*", "sync", "", "", "name of a queue: the syncs of one lane share its max_in_flight, rate_limit and request_timeout (the smallest that one of them declares), delay no others, and are paused together"},
    Option{"notify", boolean, "*", "sync", "", "=off", "on: dead letters, a target that cannot be reached, and what becomes of records are also told on the channel autosync"},
    Option{"operations", choices, "*", "sync", "insert,update,delete,truncate", "=insert,update,delete,truncate", "which operations are captured"},
    Option{"capture", choice, "*", "sync", "key,row", "=key", "key: an event names the entity, and its row is read when it is delivered; row: it carries the row as committed"},
    Option{"version", text, "*", "sync", "", "", "column that says which version of its entity the row is: shown as source_version; whole numbers, or timestamp with time zone (as microseconds since 1970)"},
    Option{"transform", text, "*", "sync", "", "", "function from the table's row to jsonb: an object that becomes the properties, payload, record or document in place of the columns; NULL: the row is not synced"},
    Option{"entity_type", text, "*", "sync", "", "", "name in events; default: the table's name"},
    Option{"collection", text, "atproto", "sync", "", "", "NSID of the records, as app.bsky.feed.post"},
    Option{"did", text, "atproto", "sync", "", "", "column that says whose record it is; default: did, that of the user of user_id, author"},
    Option{"did_expression", expression, "atproto", "sync", "", "", "SQL expression over the row that says it"},
    Option{"rkey", text, "atproto", "sync", "", "=tid", "record key: tid (by time), key (the row's), self, or a column"},
    Option{"record", object, "atproto", "sync", "", "", "column to field of the record; default: all columns under their names"},
    Option{"blob", described, "atproto", "sync", "", "", "bytea column that is uploaded as a blob; or an object: column to field, or to an object with field, type, max_size"},
    Option{"reply", columns, "atproto", "sync", "", "", "columns of a foreign key to a row that this one replies to: becomes the field reply, with root and parent"},
    Option{"subject", columns, "atproto", "sync", "", "", "columns of a foreign key to a row that this one is about: becomes the field subject, its URI and CID"},
    Option{"conflict", word, "atproto", "sync", "source_wins,target_wins", "=source_wins", "what stands when somebody else has changed the record: the row, or the record"},
    Option{"uri_column", text, "atproto", "sync", "", "", "column that receives the record's URI"},
    Option{"cid_column", text, "atproto", "sync", "", "", "column that receives the record's CID"},
    Option{"label", text, "neo4j", "sync", "", "", "label of the nodes; default: the table's name"},
    Option{"relationships", object, "neo4j", "sync", "on,off", "", "per foreign key: type, label of the parent, direction; or off for none"},
    Option{"relationship", described, "neo4j", "sync", "", "", "the row itself is a relationship: on, off, its type, or an object with type, from, to"},
    Option{"properties", object, "neo4j", "sync", "", "", "column to property"},
    Option{"collection", text, "qdrant", "sync", "", "", "collection of the points; default: the table's name"},
    Option{"embed", vectors, "qdrant", "sync", "", "", "columns whose text is embedded; or an object: name of a vector to columns"},
    Option{"embed_expression", expression, "qdrant", "sync", "", "", "SQL expression over the row that gives the text, in place of embed"},
    Option{"vector", vector, "qdrant", "sync", "", "", "column that holds the vector already; or an object: name of a vector to column"},
    Option{"payload", columns, "qdrant", "sync", "", "", "columns that become the payload; default: all that are sent"},
    Option{"payload_indexes", object, "qdrant", "sync", "", "", "column to the kind of index that a new collection gets for it"},
    Option{"id", choice, "qdrant", "sync", "auto,uuid,key", "=auto", "of the points: the key if it is a number, else a UUID made of it; always that; the key"},
    Option{"overflow", choice, "qdrant", "sync", "error,truncate", "=error", "what happens to a text that is too long for the model"},
    Option{"max_tokens_per_day", integer, "qdrant", "sync", "", "", "tokens per day (UTC); then the table waits", 1, most_whole},
};

constexpr std::string_view level_name(Level level)
{
    switch (level) {
    case Level::server:
        return "server";
    case Level::user_mapping:
        return "mapping";
    case Level::sync:
        return "sync";
    }
    return "";
}

constexpr std::string_view level_text(Level level)
{
    switch (level) {
    case Level::server:
        return "server";
    case Level::user_mapping:
        return "user mapping";
    case Level::sync:
        return "sync";
    }
    return "";
}

bool allowed(const Option &option, std::string_view kind, Level level)
{
    return (option.kinds == "*" || lists(option.kinds, kind)) && lists(option.levels, level_name(level));
}

std::string quoted(std::string_view text) { return "\"" + std::string{text} + "\""; }

std::string hint_for(std::string_view name, std::span<const std::string_view> valid)
{
    if (const auto near = nearest(name, valid); !near.empty())
        return "Perhaps you meant the option " + quoted(near) + ".";
    return valid.empty() ? "There are no valid options in this context." : "Valid options in this context are: " + join(valid, ", ") + ".";
}

OptionError unknown_option(std::string_view kind, Level level, std::string_view name)
{
    OptionError error{true, "invalid option " + quoted(name) + " for a " + std::string{level_text(level)} + " of kind " + quoted(kind), {}};
    for (const auto other : {Level::server, Level::user_mapping, Level::sync})
        if (other != level && find_option(kind, other, name) != nullptr) {
            error.hint = "It is an option of the " + std::string{level_text(other)} + ".";
            return error;
        }
    error.hint = hint_for(name, option_names(kind, level));
    return error;
}

template <typename Number> std::optional<Number> whole_number(std::string_view text)
{
    Number result{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
    if (error != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return result;
}

std::string range(const Option &option, std::string_view unit)
{
    const auto plain = [](double value) { return std::to_string(static_cast<std::int64_t>(value)); };
    return "The value must be between " + plain(option.least) + " and " + plain(option.most) + std::string{unit} + ".";
}

/// The hint for a value that does not fit the option; nullopt: it fits.
std::optional<std::string> misfit(const Option &option, std::string_view value)
{
    const auto within = [&](double it) { return it >= option.least && it <= option.most; };
    switch (option.type) {
    case boolean:
        (void)parse_boolean(value);
        return std::nullopt;
    case integer: {
        const auto it = whole_number<std::int32_t>(value);
        return it && within(*it) ? std::nullopt : std::optional{range(option, "")};
    }
    case number: {
        const auto it = whole_number<double>(value);
        return it && within(*it) ? std::nullopt : std::optional{range(option, "")};
    }
    case duration:
        return within(static_cast<double>(parse_duration(value).count())) ? std::nullopt : std::optional{range(option, " ms")};
    case columns:
        (void)parse_columns(value);
        return std::nullopt;
    case object:
        if (lists(option.choices, value) || is_json_object(value))
            return std::nullopt;
        return option.choices.empty() ? "The value must be a JSON object."
                                      : "The value must be a JSON object, or one of: " + spaced(option.choices) + ".";
    case vectors:
    case vector:
        for (const auto &[name, columns] : parse_vectors(value))
            if (option.type == vector && columns.size() != 1)
                return "The value must be the name of a column, or a JSON object with one per vector.";
        return std::nullopt;
    case choice:
    case word:
        return lists(option.choices, option.type == word ? lower(value) : value) ? std::nullopt
                                                                                : std::optional{"Valid values are: " + spaced(option.choices) + "."};
    case choices:
        for (const auto &word : parse_columns(value))
            if (!lists(option.choices, word))
                return "Valid values are: " + spaced(option.choices) + ".";
        return std::nullopt;
    case url: {
        if (const auto http = http_url(value))
            return "The server is reached over HTTP: " + *http + ".";
        const auto problem = url_problem(value);
        return problem.empty() ? std::nullopt : std::optional{problem};
    }
    case text:
    case described:
    case expression:
        break;
    }
    if (value.find_first_not_of(" \t\r\n") == std::string_view::npos)
        return "The value must not be empty.";
    if (option.type != expression && has_control_characters(value))
        return "The value must not contain control characters.";
    return std::nullopt;
}

} // namespace

std::span<const Option> options() { return table; }

const Option *find_option(std::string_view kind, Level level, std::string_view name)
{
    const auto found = std::ranges::find_if(table, [&](const Option &option) { return option.name == name && allowed(option, kind, level); });
    return found == table.end() ? nullptr : &*found;
}

std::vector<std::string_view> option_names(std::string_view kind, Level level)
{
    std::vector<std::string_view> names;
    for (const auto &option : table)
        if (allowed(option, kind, level))
            names.push_back(option.name);
    return names;
}

std::optional<OptionError> check_target_option(std::string_view kind, std::string_view name)
{
    if (find_option(kind, Level::server, name) != nullptr || find_option(kind, Level::user_mapping, name) != nullptr)
        return std::nullopt;
    auto error = unknown_option(kind, Level::server, name);
    if (find_option(kind, Level::sync, name) != nullptr)
        return error;
    auto valid = option_names(kind, Level::server);
    const auto mapped = option_names(kind, Level::user_mapping);
    valid.insert(valid.end(), mapped.begin(), mapped.end());
    error.hint = hint_for(name, valid);
    return error;
}

std::optional<OptionError> check_option(std::string_view kind, Level level, std::string_view name, std::string_view value)
{
    const auto *const option = find_option(kind, level, name);
    if (option == nullptr)
        return unknown_option(kind, level, name);
    std::string hint;
    try {
        const auto problem = misfit(*option, value);
        if (!problem)
            return std::nullopt;
        hint = *problem;
    } catch (const std::invalid_argument &error) {
        hint = error.what();
    }
    // A secret is never shown, nor is a URL that carries one.
    const bool hidden = level == Level::user_mapping || (option->type == url && value.find('@') != std::string_view::npos) || value.size() > 200;
    return OptionError{false, "invalid value for option " + quoted(name) + (hidden ? "" : ": " + quoted(value)), hint};
}

} // namespace autosync::config
