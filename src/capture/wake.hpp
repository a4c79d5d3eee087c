// Telling the worker, once the transaction has committed.
#pragma once

namespace autosync::capture {

/// The current transaction leaves work for the worker: wake it right after the commit (never after an abort).
void wake_at_commit();

} // namespace autosync::capture
