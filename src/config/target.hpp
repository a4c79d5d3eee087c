// A target as declared: foreign server + user mapping -> value.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

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
    std::string problem; ///< why it cannot be used (unreadable secret file, …); empty: usable
};

/// All servers of autosync's wrappers, by name. Needs a transaction.
[[nodiscard]] std::vector<std::string> target_names();
/// With the user mapping of `user`, else of PUBLIC. nullopt: no such target. Needs a transaction.
[[nodiscard]] std::optional<Target> load_target(const std::string &name, Oid user);
/// The kind of the server's wrapper ('neo4j'), empty if it is not one of ours.
[[nodiscard]] std::string kind_of_server(Oid server);

} // namespace autosync::config
