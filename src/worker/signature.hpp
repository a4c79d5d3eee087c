// What a table looks like, so that DDL which changes rows without firing a row trigger is noticed.
#pragma once

#include <string>

#include "config/sync.hpp"

namespace autosync::worker {

/// Files, attributes and partitions of the sync's table (and of all partitions below it), one per line. To be taken under the table's
/// lock in the round's transaction.
[[nodiscard]] std::string signature(const config::Sync &sync);

enum class Drift : std::uint8_t {
    none,
    columns_added, ///< without a default, or what a table is may be lost in a crash: no row looks different
    changed        ///< rows may have changed without an event: backfill and sweep
};

/// An empty `before` (never taken) is `changed`.
[[nodiscard]] Drift compare(const std::string &before, const std::string &now);

} // namespace autosync::worker
