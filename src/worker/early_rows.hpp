// Rows that a session hands over before its transaction commits: read and packed by the session, unpacked by the worker.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/sync.hpp"
#include "outbox/chunk.hpp"
#include "worker/read.hpp"

namespace autosync::worker {

struct EarlyKey {
    std::vector<std::string> columns;
    outbox::Operation operation = outbox::Operation::update;
    bool rekeyed = false;
};

struct EarlyRow {
    Wanted wanted;
    outbox::Operation operation = outbox::Operation::update;
    bool rekeyed = false;
    ReadRow row;
};

struct EarlyTable {
    Oid table = InvalidOid;
    std::string print; ///< how the session has found the sync declared
    std::vector<EarlyRow> rows;
};

/// What rows of a sync look like: equal where whoever has read them and whoever sends them mean the same.
[[nodiscard]] std::string print_of(const config::Sync &sync);
/// Reads the rows under the active snapshot and appends them. False: they cannot be read, or do not fit into `most` bytes.
[[nodiscard]] bool pack_early(const config::Sync &sync, const std::vector<EarlyKey> &keys, std::size_t most, std::string &bytes);
/// Throws std::runtime_error when the bytes are none.
[[nodiscard]] std::vector<EarlyTable> unpack_early(std::string_view bytes);

} // namespace autosync::worker
