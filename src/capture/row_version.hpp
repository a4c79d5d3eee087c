// Events beside the usual ones: those that carry a row as it was committed, and a TRUNCATE.
#pragma once

#include <string_view>
#include <vector>

#include "capture/buffer.hpp"
#include "capture/spec.hpp"
#include "pg/postgres.hpp"

namespace autosync::capture {

/// What a sync's events have in common at this moment.
[[nodiscard]] outbox::Topic topic_now(const Spec &spec);

/// Notes `event`, which carries the row that the trigger fired for (of a deletion the row as it was). `old_key`: the key it had before, where
/// that has changed: then the entity of that key was deleted, and that of the new one is new. Where they stand in the buffer.
std::vector<Buffer::Index> note_version(const Spec &spec, const TriggerData &trigger, Buffer::TopicId topic, outbox::PackedEvent event, std::string_view old_key);

void note_truncate(const Spec &spec, Oid table);

} // namespace autosync::capture
