// Emptying a table of ours without leaving dead rows: in place, and only when nobody is in the way.
#pragma once

#include <functional>
#include <string>

namespace autosync::outbox {

/// Truncates the table if its lock (and its toast table's) is free at once and `check`, asked under the lock, agrees.
/// Needs a transaction; takes effect at once, whether or not that commits. False: not now.
[[nodiscard]] bool truncate_in_place(const std::string &table, const std::function<bool()> &check);

} // namespace autosync::outbox
