// Which columns an update has changed.
#pragma once

#include "pg/postgres.hpp"

namespace autosync::capture {

/// Fills `changed`, a bitmap (bit n-1 = attribute n). Two stored forms of one value, as compressed and not, count as a change.
/// May ereport(): inside pg::call.
void compare(HeapTuple before, HeapTuple after, TupleDesc shape, StringInfo changed);

} // namespace autosync::capture
