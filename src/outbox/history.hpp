// What has become of events that are over: kept for autosync.history_retention, in three tables that take turns. Rows are only appended, and a
// table is emptied in place when all in it is too old: nothing bloats, and there is no index to keep.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "outbox/ended.hpp"

namespace autosync::outbox {

/// Whether events are kept when they are over.
[[nodiscard]] bool keeps_history() noexcept;
/// Appends them, of one target. Needs a transaction.
void append_history(std::int64_t instance, const std::string &target, std::span<const Ended> events);

/// Of this entity nothing stays.
void erase_history(std::int64_t instance, const std::string &target, Oid source, const std::string &key);

/// Events as JSON, for work that goes on when the log has no more of them, and back. The latter needs a transaction.
[[nodiscard]] std::string to_json(const std::vector<Ended> &events);
[[nodiscard]] std::vector<Ended> events_of(const std::string &json);

/// Goes on in the next table when this one has its share of the time or of the space, and forgets what is too old. In transactions of its own.
void turn_history(std::int64_t instance);

} // namespace autosync::outbox
