// Before a sync's first delivery: its collection, made or checked, with the indexes that filters need.
#pragma once

#include "targets/qdrant_mapping.hpp"

namespace autosync::targets::qdrant {

/// A new collection is named 'collection_1' and reached by the alias 'collection', so that a rebuild can put another in its place.
/// One that is there under the name itself is taken as it is. Refused, with what to do, when sizes, distance or model do not fit.
[[nodiscard]] Planned begin_preparation(const Server &server, const Compiled &mapping);

} // namespace autosync::targets::qdrant
