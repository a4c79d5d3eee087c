// Kinds of targets that can be told of every event, in order, instead of the newest state of each entity.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mapping/source.hpp"
#include "targets/target.hpp"

namespace autosync::targets {

/// Is a sync with these options, to a target of this kind, told of every event?
[[nodiscard]] bool keeps_history(std::string_view kind, const mapping::Options &options);
/// Can any sync to a target of this kind be?
[[nodiscard]] bool may_keep_history(std::string_view kind);

/// What such a target is told of an event beside the row, which is in the change.
struct Event {
    std::string id;
    std::string type; ///< CUSTOMERS_CREATED, …
    std::string entity_type;
    std::string operation; ///< insert, update, delete, truncate
    std::string correlation_id;
    bool unclear = false; ///< how it stands to others of its entity in its transaction cannot be told
    std::string payload{}; ///< JSON; empty: it is the change's row
};

/// The context of a batch of events: one for each of its changes.
class Events final : public Context {
public:
    std::vector<Event> of_changes;
};

} // namespace autosync::targets
