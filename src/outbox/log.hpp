// Reading the log between two snapshots: what committed after the one and before the other, each transaction once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "outbox/cursor.hpp"
#include "outbox/horizon.hpp"
#include "outbox/logs.hpp"
#include "pg/postgres.hpp"

namespace autosync::outbox {

/// The active snapshot as a value. Needs one.
[[nodiscard]] Horizon current_horizon();

/// Calls `visit(position, bytes)` in order of position for every chunk that committed, is visible to the active snapshot and to
/// `upto`, is not seen by `passed`, and lies after `after`. `visit` returns false to stop. Needs an active snapshot.
/// True when it came to the end.
bool scan(std::int64_t instance, const Horizon &passed, const Horizon &upto, std::optional<Position> after,
          const std::function<bool(Position, std::string_view)> &visit);

/// Likewise the chunks that a cursor has not passed yet.
bool scan_pending(std::int64_t instance, const Cursor &cursor, const Horizon &upto, std::optional<Position> after,
                  const std::function<bool(Position, std::string_view)> &visit);

/// Empties the logs that every cursor has passed, and lets writers go on in another when the current one has grown.
/// In transactions of its own; gives up where it would be in the way. `complete`, asked under the lock on a log: are these all cursors?
void rotate(std::int64_t instance, const std::vector<Cursor> &cursors, const std::function<bool()> &complete);

} // namespace autosync::outbox
