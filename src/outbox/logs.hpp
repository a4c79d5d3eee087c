// Where the three log tables are, cached until a catalog changes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "pg/postgres.hpp"

namespace autosync::outbox {

inline constexpr int log_count = 3;

struct LogTables {
    std::array<Oid, log_count> tables{};
};

/// nullopt: the extension is not installed (any more).
[[nodiscard]] std::optional<LogTables> log_tables();
/// Bytes on disk of all three. Needs a transaction with an active snapshot.
[[nodiscard]] std::int64_t log_size();

} // namespace autosync::outbox
