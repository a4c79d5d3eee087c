// What lies in the log and has not arrived yet, event by event.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
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

/// A walk through the events for these targets that are not passed yet, target by target, and in pieces where somebody waits meanwhile: a long
/// log takes long. It sees what the snapshot that was active at its beginning saw. The current role must be the extension's owner.
class Walk final {
public:
    /// Needs an active snapshot, like go_on(); `cursors` may be older than it.
    Walk(std::int64_t instance, const std::vector<outbox::Cursor> &cursors, const std::vector<std::string> &targets);

    using Visit = std::function<bool(const Pending &)>; ///< returns false to end the walk
    /// Goes on until `pause`, asked after each chunk, says so. False: there is more.
    bool go_on(const Visit &visit, const std::function<bool()> &pause);

private:
    /// What one cursor has before it.
    struct Course {
        outbox::Cursor cursor;
        std::set<Oid> lagging; ///< of its target
    };
    /// Like go_on(), for one course.
    bool follow(const Course &course, const Visit &visit, const std::function<bool()> &pause);

    std::int64_t instance_;
    outbox::Horizon upto_;
    std::vector<Course> left_; ///< the last is under way
    std::optional<outbox::Position> after_;
};

/// The events for these targets that `snapshot` sees and that are not passed yet, target by target; `visit` returns false to stop.
/// The current role must be the extension's owner.
void each_pending(std::int64_t instance, const std::vector<std::string> &targets, Snapshot snapshot, const Walk::Visit &visit);

struct Backlog {
    std::int64_t events = 0;
    TimestampTz oldest = 0; ///< captured at; 0: none

    void add(const Pending &pending);
};
using Backlogs = std::map<std::string, Backlog>; ///< by target; none of a target that has nothing before it
/// As of now, for all of these targets.
[[nodiscard]] Backlogs backlogs(std::int64_t instance, const std::vector<std::string> &targets);

} // namespace autosync::operate
