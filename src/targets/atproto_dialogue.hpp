// Conversations with a repository, each about changes of one identity.
#pragma once

#include <memory>
#include <vector>

#include "targets/atproto_request.hpp"

namespace autosync::targets::atproto {

/// Many records in one applyWrites. It creates, updates or removes, and does none of the three twice, so whatever is not known of a record
/// is asked first, and an answer that says that we were wrong (500) is followed by a look at each.
/// One record: put and delete, which can be repeated; where it was before is cleared after it is where it is to be.
/// The context outlives what is made here.
[[nodiscard]] Planned plan_batch(Context &context, std::vector<std::size_t> changes);
[[nodiscard]] Planned plan_single(Context &context, std::size_t change);

} // namespace autosync::targets::atproto
