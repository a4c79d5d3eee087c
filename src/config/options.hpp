// The one table of options: name, where it may stand, type, help. Knows nothing of PostgreSQL.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mapping/source.hpp"

namespace autosync::config {

using Options = mapping::Options;

/// Where an option may stand.
enum class Level : std::uint8_t { server, user_mapping, sync };

enum class OptionType : std::uint8_t {
    boolean,    ///< on/off/true/false/yes/no/1/0
    integer,
    number,     ///< requests per second and the like
    duration,   ///< '500ms', '10s', '5min', '1h', '7d'; a bare number means seconds
    text,
    url,        ///< http or https
    columns,    ///< JSON array of column names, or 'a,b'
    object,     ///< JSON object, or one of Option::choices
    described,  ///< text, or a JSON object that says more
    vectors,    ///< columns, or a JSON object: name of a vector -> columns
    vector,     ///< one column, or a JSON object: name of a vector -> column
    expression, ///< an SQL expression over the row
    choice,     ///< one of Option::choices
    word,       ///< one of Option::choices, in any case
    choices     ///< one or more of Option::choices, comma-separated
};

struct Option {
    std::string_view name;
    OptionType type;
    std::string_view kinds;   ///< '*' or a comma-separated list of kinds ('neo4j,test')
    std::string_view levels;  ///< subset of "server,mapping,sync"
    std::string_view choices; ///< comma-separated words that are allowed
    std::string_view fallback; ///< GUC without prefix that gives the default ('batch_size'), or '=literal', or empty
    std::string_view help;
    double least = 0; ///< of numbers; of durations in milliseconds
    double most = 0;
};

[[nodiscard]] std::span<const Option> options();
[[nodiscard]] const Option *find_option(std::string_view kind, Level level, std::string_view name);

/// What is wrong with an option, for the caller to raise.
struct OptionError {
    bool unknown = false; ///< no such option here (HV00D), else a malformed value (22023)
    std::string message;
    std::string hint;     ///< the one probably meant, or the valid ones
};

/// The names that are valid here, in the table's order.
[[nodiscard]] std::vector<std::string_view> option_names(std::string_view kind, Level level);
/// Of a target declared in one go, so of its server or of its user mapping: is there one of this name?
[[nodiscard]] std::optional<OptionError> check_target_option(std::string_view kind, std::string_view name);
[[nodiscard]] std::optional<OptionError> check_option(std::string_view kind, Level level, std::string_view name, std::string_view value);

/// 'name=value' of a trigger argument. Throws std::invalid_argument without '='.
[[nodiscard]] std::pair<std::string, std::string> split_argument(std::string_view argument);
/// A flat JSON object -> options: strings bare, booleans as on/off, numbers as text, arrays and objects as JSON text. Throws std::invalid_argument.
[[nodiscard]] Options options_from_json(std::string_view json);
[[nodiscard]] std::string options_to_json(const Options &options);

/// The HTTP URL of a server that is named by a scheme of its kind's own (neo4j://, neo4j+s://, bolt://, qdrant://, …); nullopt for any other URL.
[[nodiscard]] std::optional<std::string> http_url(std::string_view url);
/// The kind whose own scheme a URL has ('neo4j', 'qdrant', 'openai', 'atproto', 'test'); empty for any other URL.
[[nodiscard]] std::string_view kind_of_url(std::string_view url);
/// What is wrong with a URL, without showing it (it may hold a password); empty: nothing.
[[nodiscard]] std::string url_problem(std::string_view url);

[[nodiscard]] bool parse_boolean(std::string_view value);                    ///< throws std::invalid_argument
[[nodiscard]] std::chrono::milliseconds parse_duration(std::string_view value); ///< throws std::invalid_argument
[[nodiscard]] std::vector<std::string> parse_columns(std::string_view value);   ///< throws std::invalid_argument

/// Columns per vector; the one without a name has the empty one. Throws std::invalid_argument.
using Vectors = std::map<std::string, std::vector<std::string>>;
[[nodiscard]] Vectors parse_vectors(std::string_view value);
/// Does a sync with these options give vectors? Then foreign keys mean nothing to it, and it reads only the columns it names.
[[nodiscard]] bool gives_vectors(const Options &options);
/// The columns that such a sync names beside those of its payload.
[[nodiscard]] std::vector<std::string> vector_columns(const Options &options);

/// The option `on_delete` where it is a condition; empty: it is a word, or not given.
[[nodiscard]] std::string removal_condition(const Options &options);

/// What stands for a column's value at a target.
struct Mask {
    enum class Way : std::uint8_t { none, null, hash, text };
    Way way = Way::none;
    std::string text{};

    friend bool operator==(const Mask &, const Mask &) = default;
};
/// By column. Throws std::invalid_argument.
[[nodiscard]] std::map<std::string, Mask> parse_masks(std::string_view value);

} // namespace autosync::config
