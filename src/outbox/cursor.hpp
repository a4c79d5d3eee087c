// How far a target has read the outbox. One record is appended per round; nothing is updated, so nothing bloats.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "outbox/horizon.hpp"
#include "pg/postgres.hpp"

namespace autosync::outbox {

/// A chunk's place in the log.
struct Position {
    std::uint64_t xid = 0;
    std::int32_t seq = 0;

    friend auto operator<=>(const Position &, const Position &) = default;
};

struct Cursor {
    std::string target;
    Oid source = InvalidOid;          ///< a table that lags behind on its own; InvalidOid: all others
    Horizon passed;                   ///< everything it sees has been dealt with
    std::optional<Horizon> upto;      ///< the end of the stretch under way
    std::optional<Position> position; ///< within that stretch: the last chunk that was dealt with
    std::string reason;               ///< why the table lags
};

/// The newest cursor of each (target, source), lagging ones included, as of now. Needs a transaction.
[[nodiscard]] std::vector<Cursor> load_cursors(std::int64_t instance);
/// Likewise, as the active snapshot sees them; as of now when it sees none, since all may have been written anew meanwhile.
[[nodiscard]] std::vector<Cursor> load_cursors_seen(std::int64_t instance);
/// Appends one record. Needs a transaction.
void save_cursor(std::int64_t instance, const Cursor &cursor);
/// The table has caught up: it follows the target's main cursor again.
void drop_cursor(std::int64_t instance, const Cursor &cursor);
/// Keeps the journal small: rewrites it into its twin table and truncates it in place. In transactions of its own; gives up when in the way of somebody.
void compact_cursors(std::int64_t instance);

} // namespace autosync::outbox
