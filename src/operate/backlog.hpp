// What lies in the log and has not arrived yet, event by event.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "outbox/chunk.hpp"
#include "outbox/cursor.hpp"
#include "pg/postgres.hpp"

namespace autosync::operate {

/// One event on its way to one target.
struct Pending {
    const std::string &target;
    outbox::Position position; ///< of its chunk
    std::uint32_t ordinal;     ///< within the chunk
    TimestampTz captured_at;
    const outbox::Topic &topic;
    const outbox::Event &event;
};

/// The events for these targets that `snapshot` sees and that are not passed yet, target by target; `visit` returns false to stop.
/// The current role must be the extension's owner.
void each_pending(std::int64_t instance, const std::vector<std::string> &targets, Snapshot snapshot, const std::function<bool(const Pending &)> &visit);

struct Backlog {
    std::int64_t events = 0;
    TimestampTz oldest = 0; ///< captured at; 0: none
};
/// As of now, for all of these targets that have one.
[[nodiscard]] std::map<std::string, Backlog> backlogs(std::int64_t instance, const std::vector<std::string> &targets);

} // namespace autosync::operate
