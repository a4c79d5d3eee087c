// A foreign server of autosync's with the user mapping that a role uses: what targets and the services beside them have in common.
#pragma once

#include <charconv>
#include <optional>
#include <string>

#include "config/options.hpp"
#include "http/message.hpp"
#include "pg/postgres.hpp"

namespace autosync::config {

struct Connection {
    Oid server = InvalidOid;
    std::string name;
    std::string kind;     ///< of the wrapper autosync_<kind>
    Options options;      ///< of the server
    Options mapping;      ///< of the role, else of PUBLIC: secrets inside, never to be shown
    bool trusted = false; ///< its owner may name any file
    std::string problem;  ///< why it cannot be used: the first that was found

    /// A secret as declared, or from the file that its twin names; empty when there is none, or a problem is noted.
    [[nodiscard]] std::string secret(const std::string &option);
    /// How the server behind the option `url` is reached, without what identifies us.
    [[nodiscard]] http::Access access() const;
};

/// nullopt: no such server, or one of another wrapper. Whether the role has the USAGE privilege, `problem` tells. Needs a transaction.
[[nodiscard]] std::optional<Connection> load_connection(const std::string &name, Oid user);
/// The kind that the server's wrapper is named after ('neo4j', 'openai'), whether it can be synced to or not; empty: not one of ours.
[[nodiscard]] std::string wrapper_kind(Oid server);

[[nodiscard]] const std::string *find(const Options &options, const char *name);
[[nodiscard]] std::string text_or(const Options &options, const char *name, const char *fallback);
/// A URL without the slashes at its end.
[[nodiscard]] std::string bare_url(std::string url);
/// The option's number, else the fallback. Values were checked when the server was declared.
template <typename Number> [[nodiscard]] Number number_or(const Options &options, const char *name, Number fallback)
{
    if (const auto *const value = find(options, name))
        (void)std::from_chars(value->data(), value->data() + value->size(), fallback);
    return fallback;
}

} // namespace autosync::config
