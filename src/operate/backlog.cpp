#include "operate/backlog.hpp"

#include <algorithm>
#include <set>

#include "operate/newest.hpp"
#include "outbox/log.hpp"
#include "outbox/sequence.hpp"

namespace autosync::operate {

namespace {

/// The cursors of one target; a target that was never read for has passed nothing.
std::vector<outbox::Cursor> cursors_of(const std::vector<outbox::Cursor> &all, const std::string &target)
{
    std::vector<outbox::Cursor> own;
    for (const auto &cursor : all)
        if (cursor.target == target)
            own.push_back(cursor);
    const auto of = [&own](Oid source) { return std::ranges::find(own, source, &outbox::Cursor::source); };
    if (of(InvalidOid) == own.end())
        own.push_back({.target = target, .source = InvalidOid, .passed = {}, .upto = {}, .position = {}, .reason = {}});
    if (of(outbox::history_source) == own.end()) { // it begins with the first event that the main one meets
        own.push_back(*of(InvalidOid));
        own.back().source = outbox::history_source;
    }
    return own;
}

} // namespace

Walk::Walk(std::int64_t instance, const std::vector<outbox::Cursor> &cursors, const std::vector<std::string> &targets)
    : instance_{instance}, upto_{outbox::current_horizon()}
{
    for (auto target = targets.rbegin(); target != targets.rend(); ++target) {
        auto own = cursors_of(cursors, *target);
        std::set<Oid> lagging;
        for (const auto &cursor : own)
            if (OidIsValid(cursor.source))
                lagging.insert(cursor.source);
        for (auto cursor = own.rbegin(); cursor != own.rend(); ++cursor)
            left_.push_back({std::move(*cursor), lagging});
    }
}

bool Walk::follow(const Course &course, const Visit &visit, const std::function<bool()> &pause)
{
    const auto &cursor = course.cursor;
    bool ended = false;
    const bool through = outbox::scan_pending(instance_, cursor, upto_, after_, [&](outbox::Position position, std::string_view bytes) {
        const auto chunk = outbox::read_chunk(bytes);
        std::vector<bool> wanted;
        for (const auto &topic : chunk.topics) {
            const Oid common = outbox::is_history(topic.carries) ? Oid{outbox::history_source} : InvalidOid;
            const bool mine = cursor.source == (course.lagging.contains(topic.table) ? topic.table : common);
            wanted.push_back(mine && std::find(topic.targets.begin(), topic.targets.end(), cursor.target) != topic.targets.end());
        }
        for (std::uint32_t i = 0; i < chunk.events.size() && !ended; ++i) {
            const auto &event = chunk.events[i];
            ended = wanted[event.topic] && !visit({cursor.target, position, i, chunk.captured_at, chunk.topics[event.topic], event});
        }
        after_ = position;
        return !ended && !pause();
    });
    if (ended)
        left_.clear();
    return through || ended;
}

bool Walk::go_on(const Visit &visit, const std::function<bool()> &pause)
{
    while (!left_.empty()) {
        if (!follow(left_.back(), visit, pause))
            return false;
        after_.reset();
        if (!left_.empty())
            left_.pop_back();
    }
    return true;
}

void each_pending(std::int64_t instance, const std::vector<std::string> &targets, Snapshot snapshot, const Walk::Visit &visit)
{
    const auto cursors = outbox::load_cursors(instance);
    const Active active{snapshot};
    Walk{instance, cursors, targets}.go_on(visit, [] { return false; });
}

void Backlog::add(const Pending &pending)
{
    ++events;
    if (oldest == 0 || pending.captured_at < oldest)
        oldest = pending.captured_at;
}

Backlogs backlogs(std::int64_t instance, const std::vector<std::string> &targets)
{
    Backlogs found;
    const Kept now;
    each_pending(instance, targets, now.get(), [&found](const Pending &pending) {
        found[pending.target].add(pending);
        return true;
    });
    return found;
}

} // namespace autosync::operate
