// One entity of one sync, as the arguments (source, key, target) of a function name it.
#pragma once

#include <optional>
#include <string>

#include "config/sync.hpp"
#include "config/target.hpp"
#include "operate/key.hpp"
#include "worker/read.hpp"

namespace autosync::operate {

struct Entity {
    Oid source;
    config::Sync sync;
    config::Target target;
    Key key;
};

/// Nothing when the table is not synced with that target. Raises 22004, 42501, 42704 for the arguments, 55000 for a sync that cannot be delivered.
[[nodiscard]] std::optional<Entity> entity_of(FunctionCallInfo fcinfo);

/// Its row as it is now, or that it is removed; raises HV000 when the row cannot be delivered.
[[nodiscard]] worker::ReadRow read_now(const Entity &entity);

} // namespace autosync::operate
