// Telling the worker, once the transaction has committed.
#pragma once

namespace autosync::capture {

/// The current transaction leaves work for the worker: wake it right after the commit (never after an abort).
void wake_at_commit();
/// It declares something, or pauses it, as well: the worker sends nothing that it has read before it knows that.
void announce_at_commit();

} // namespace autosync::capture
