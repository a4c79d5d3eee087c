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

/// Calls back for what one cursor has before it. False when `visit` has enough.
bool visit_cursor(std::int64_t instance, const outbox::Cursor &cursor, const std::set<Oid> &lagging, const std::function<bool(const Pending &)> &visit)
{
    return outbox::scan_pending(instance, cursor, [&](outbox::Position position, std::string_view bytes) {
        const auto chunk = outbox::read_chunk(bytes);
        std::vector<bool> wanted;
        for (const auto &topic : chunk.topics) {
            const Oid common = outbox::is_history(topic.carries) ? Oid{outbox::history_source} : InvalidOid;
            const bool mine = cursor.source == (lagging.contains(topic.table) ? topic.table : common);
            wanted.push_back(mine && std::find(topic.targets.begin(), topic.targets.end(), cursor.target) != topic.targets.end());
        }
        for (std::uint32_t i = 0; i < chunk.events.size(); ++i) {
            const auto &event = chunk.events[i];
            if (wanted[event.topic] && !visit({cursor.target, position, i, chunk.captured_at, chunk.topics[event.topic], event}))
                return false;
        }
        return true;
    });
}

} // namespace

void each_pending(std::int64_t instance, const std::vector<std::string> &targets, Snapshot snapshot, const std::function<bool(const Pending &)> &visit)
{
    const auto all = outbox::load_cursors(instance);
    const Active active{snapshot};
    for (const auto &target : targets) {
        const auto cursors = cursors_of(all, target);
        std::set<Oid> lagging;
        for (const auto &cursor : cursors)
            if (OidIsValid(cursor.source))
                lagging.insert(cursor.source);
        for (const auto &cursor : cursors)
            if (!visit_cursor(instance, cursor, lagging, visit))
                return;
    }
}

std::map<std::string, Backlog> backlogs(std::int64_t instance, const std::vector<std::string> &targets)
{
    std::map<std::string, Backlog> found;
    const Kept now;
    each_pending(instance, targets, now.get(), [&found](const Pending &pending) {
        auto &backlog = found[pending.target];
        ++backlog.events;
        if (backlog.oldest == 0 || pending.captured_at < backlog.oldest)
            backlog.oldest = pending.captured_at;
        return true;
    });
    return found;
}

} // namespace autosync::operate
