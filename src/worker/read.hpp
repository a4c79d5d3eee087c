// Rows read again under the round's snapshot, with the rights of the table's owner.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "config/sync.hpp"
#include "mapping/source.hpp"

namespace autosync::worker {

/// Why a sync as a whole cannot be read: its filter names a column that is gone, the owner may not read the table, row security would
/// decide what is synced, … The subtransaction it arose in is rolled back already.
class SyncTrouble final : public std::runtime_error {
public:
    SyncTrouble(int sqlstate, const std::string &message) : std::runtime_error{message}, sqlstate_{sqlstate} {}
    [[nodiscard]] int sqlstate() const noexcept { return sqlstate_; }

private:
    int sqlstate_;
};

struct Wanted {
    std::string key;                  ///< canonical, in the database's encoding
    std::vector<std::string> columns; ///< canonical text per key column
};

struct ReadRow {
    mapping::Change change; ///< key and links in UTF-8; `source` is left to the caller
    std::string problem;    ///< not empty: only this row cannot be delivered, and why
    bool unnamed = false;   ///< its key is no UTF-8 (see `problem`): a target can be told nothing of it, not even that it is gone
    std::optional<std::int64_t> version{}; ///< its own, where the sync names it
    bool filtered = false;  ///< the row exists, but does not match the filter (then change.removed)
    bool deleted = false;   ///< the row exists, but counts as deleted (then change.removed)
    bool skip = false;      ///< removed, but the sync is declared to keep such rows (on_filtered, on_delete = keep)
};

struct BackfillPiece {
    std::vector<ReadRow> rows;     ///< rows that match, in key order; never removed ones
    std::vector<std::string> keys; ///< of `rows`, in the database's encoding
    std::string position;          ///< of the last row looked at: where to go on
    bool finished = false;         ///< no rows after `position`
};

/// Reads the rows of one sync. Keeps its plans; to be thrown away when fits() says so, at the latest when the sync is declared anew.
/// All reads need a transaction with an active snapshot, which is what they see, and are done in subtransactions of it.
class Reader final {
public:
    explicit Reader(const config::Sync &sync); ///< needs a transaction
    ~Reader();
    Reader(const Reader &) = delete;
    Reader &operator=(const Reader &) = delete;

    /// Whether this reader reads what `sync` declares by now.
    /// How long one statement may take; without it, any time. What takes longer throws SyncTrouble.
    void time_limit(std::chrono::milliseconds limit);
    [[nodiscard]] bool fits(const config::Sync &sync) const;

    /// The state of these keys (distinct ones), one entry per key in the same order; a missing or filtered row is `removed`. Stops after
    /// about `byte_budget` bytes of values, but not before the first; `done` tells how many keys were read: as many as are returned.
    [[nodiscard]] std::vector<ReadRow> read_keys(std::span<const Wanted> wanted, std::size_t byte_budget, std::size_t *done);

    /// The rows that these texts are, written when they were committed: one entry each, as far as `byte_budget` reaches; their keys are left
    /// to the caller. A row that is not to be sent is `filtered`, one that counts as deleted `deleted`.
    [[nodiscard]] std::vector<ReadRow> read_payloads(std::span<const std::string *const> payloads, std::size_t byte_budget);

    /// The next rows in key order after `position` (empty: from the start) that match the filter and `where_clause` (empty: all): about
    /// `limit` and `byte_budget` at most, fewer, even none, when most rows do not match.
    [[nodiscard]] BackfillPiece read_after(const std::string &position, const std::string &where_clause, std::size_t limit, std::size_t byte_budget);

    /// How many rows there may be, as the planner thinks.
    [[nodiscard]] std::int64_t estimate_rows(const std::string &where_clause);

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace autosync::worker
