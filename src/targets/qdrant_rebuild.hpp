// Filling a new collection beside the old one and putting it in its place, so that searches never see a half.
//
// 1. aliases_request, behind_alias (qdrant_collection): which collection is there now. 2. next_collection: the one to fill; the sync's options get
// `rebuild_collection`, prepare() makes it, deliveries and a backfill fill it. 3. switch_collections: once it is complete.
// All sources of a collection move with it: where several tables share one, all of them have to be rebuilt into the new one before the switch.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "targets/qdrant_mapping.hpp"

namespace autosync::targets::qdrant {

[[nodiscard]] http::Request aliases_request(const Server &server);

/// 'products' or 'products_1' behind the alias 'products' -> 'products_1', 'products_2', …
[[nodiscard]] std::string next_collection(std::string_view alias, std::string_view current);

/// The requests that put `next` in the place of `current`, one after the other; each may run again. An alias is switched in one step. A
/// collection that has the very name that searches ask has to go before an alias can take it: for a moment there is none.
[[nodiscard]] std::vector<Planned> switch_collections(const Server &server, const std::string &alias, const std::string &current,
                                                      const std::string &next);
/// Removes a collection that a rebuild was filling when it was given up.
[[nodiscard]] Planned drop_collection(const Server &server, std::string_view collection);

} // namespace autosync::targets::qdrant
