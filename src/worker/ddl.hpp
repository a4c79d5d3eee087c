// Statements that change rows, or what they look like, without firing a row trigger: the worker is to look at the catalogs.
#pragma once

#include "pg/bridge.hpp"

namespace autosync::worker {

/// To be asked before the statement runs, while what it drops is still there. Temporary tables do not count. May raise, as the statement would.
[[nodiscard]] bool changes_unnoticed(const Node *statement);

/// Does the statement give tables new files, if any, with the same rows in them?
[[nodiscard]] bool copies_rows(const Node *statement) noexcept;

/// Something that a statement needs went between planning and running.
[[nodiscard]] bool dropped_meanwhile(const pg::Error &error);
/// The extension is being dropped or made anew, or a session has locked what is ours: a while later all is well, or the worker is to leave.
[[nodiscard]] bool passes(const pg::Error &error);

} // namespace autosync::worker
