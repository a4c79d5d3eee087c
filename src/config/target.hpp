// A target as declared: foreign server + user mapping -> value.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "config/sync.hpp"
#include "delivery/retry.hpp"
#include "http/message.hpp"
#include "pg/postgres.hpp"
#include "targets/target.hpp"

namespace autosync::config {

struct Target {
    Oid server = InvalidOid;
    std::string name;
    const targets::Target *kind = nullptr;
    targets::Server description; ///< with access: secrets inside, never to be shown
    bool enabled = true;
    std::size_t batch_size = 500;
    unsigned max_in_flight = 4;
    unsigned max_attempts = 3;
    double rate_limit = 0;
    delivery::BackoffLimits backoff;
    http::Limits limits;
    std::optional<std::chrono::milliseconds> event_ttl; ///< what the server says
    std::optional<std::chrono::milliseconds> debounce;  ///< likewise
    std::string problem; ///< why it cannot be used (unreadable secret file, …); empty: usable
};

/// All servers that can be synced to, by name. Needs a transaction.
[[nodiscard]] std::vector<std::string> target_names();
/// With the user mapping of `user`, else of PUBLIC. nullopt: no such target. Needs a transaction.
[[nodiscard]] std::optional<Target> load_target(const std::string &name, Oid user);
/// At what age undelivered changes of a sync with these options are given up, as things are now; 0: never.
[[nodiscard]] std::chrono::milliseconds event_ttl(const mapping::Options &sync, const std::optional<std::chrono::milliseconds> &server);
/// The same, with what its server says now.
[[nodiscard]] std::chrono::milliseconds event_ttl(const Sync &sync);
/// For how long changes of one entity are gathered, likewise.
[[nodiscard]] std::chrono::milliseconds debounce(const mapping::Options &sync, const std::optional<std::chrono::milliseconds> &server);
/// The kind of the target that the server is ('neo4j'), empty if it is none.
[[nodiscard]] std::string kind_of_server(Oid server);
/// By the server's options and the settings.
[[nodiscard]] http::Limits limits_of(const mapping::Options &options);

} // namespace autosync::config
