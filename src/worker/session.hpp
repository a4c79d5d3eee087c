// The worker's session in its database.
#pragma once

#include <chrono>
#include <string>

#include "pg/postgres.hpp"

namespace autosync::worker {

/// Connects as the superuser of the cluster, under settings that no configuration of a role or database can bend; the database's name.
[[nodiscard]] std::string connect(Oid database);
/// The extension in this database, or InvalidOid. Its own transaction.
[[nodiscard]] Oid extension();
/// Hands the statistics of our reads and writes to the server, so that autovacuum sees them; how soon it wants to be called again.
[[nodiscard]] std::chrono::milliseconds report_statistics();

} // namespace autosync::worker
