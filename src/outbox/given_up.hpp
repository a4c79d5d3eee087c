// What was given up, expired or discarded, stands in the exceptions until its entity has something newer to tell of; then it is history.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "outbox/ended.hpp"
#include "pg/spi.hpp"

namespace autosync::outbox {

/// Of a row x of the exceptions, what the two below read.
extern const char *const ended_columns;
[[nodiscard]] Ended ended_of(const std::vector<pg::Cell> &row);
[[nodiscard]] bool is_event(const std::vector<pg::Cell> &row); ///< what is confirmed, filled or swept is none

/// Makes room for newer events. `events`: a JSON array of objects with source, key, event_id.
void retire(std::int64_t instance, const std::string &target, const std::string &events);
/// Makes room for what comes behind it.
void retire_for_behind(std::int64_t instance, const std::string &target);

} // namespace autosync::outbox
