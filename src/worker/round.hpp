// A round: from what is marked as changed to what the target has confirmed. Read, deliver, settle; no transaction in between.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "atproto/context.hpp"
#include "config/target.hpp"
#include "delivery/delivery.hpp"
#include "mapping/source.hpp"
#include "outbox/behind.hpp"
#include "outbox/cursor.hpp"
#include "outbox/exceptions.hpp"
#include "outbox/held.hpp"
#include "outbox/sequence.hpp"
#include "outbox/waiting.hpp"
#include "targets/history.hpp"
#include "worker/catalog.hpp"
#include "worker/lane.hpp"
#include "worker/read.hpp"

namespace autosync::worker {

/// An event that is told as it is.
struct Told {
    std::string payload; ///< the row as committed; empty: the event has none
    std::string correlation_id;
    std::string origin;
    bool unclear = false;
};

/// An entity that is marked: to be read again and delivered as it is then.
struct Item {
    Oid table = InvalidOid;
    Wanted wanted;
    std::string event_id;
    std::string operation;
    std::string verb;     ///< 'unpublish': removed whatever the table says
    std::int64_t captured_at = 0; ///< of an event, in microseconds since 2000; 0: no event stands behind it
    int attempts = 0;     ///< refused so many times
    bool rekeyed = false; ///< its absence removes, whatever the operations say
    std::optional<std::int64_t> version{}; ///< of the row itself, where the sync names it
    std::vector<outbox::Ended> events{}; ///< that it stands for, if they are kept when they are over
    bool doubtful = false; ///< an earlier request for it may be applied yet, on top of a later one
    std::shared_ptr<const Told> told{}; ///< null: what is delivered is the newest state of the entity
};

/// Long work that a round does a piece of.
struct Job {
    Oid table = InvalidOid;
    std::string kind; ///< 'backfill', 'sweep', 'purge'
    std::string where_clause;
    std::string position;
    std::string options; ///< JSON, of a purge: what was declared
    std::string requested_at;
    bool started = false;
};

struct Round {
    enum class Kind : std::uint8_t { log, due, sweep, backfill };
    Kind kind = Kind::log;
    std::deque<Item> items; ///< still to be read and sent
    bool history = false;   ///< of a log: its items are events, each told in its turn
    std::vector<outbox::Behind> behind; ///< events that wait until an earlier one of their entity is over
    // log
    outbox::Cursor before;                       ///< where the piece began
    outbox::Cursor after;                        ///< the cursor once all items are dealt with
    std::map<Oid, std::string> lagging;          ///< tables that stay behind at `before`, and why
    std::map<Oid, std::chrono::milliseconds> pause; ///< of these: not to be tried again sooner
    std::set<Oid> paced;                         ///< of these: they wait for nothing else, so the pause does not grow
    std::vector<outbox::HeldBack> held;          ///< changes that are still being gathered
    std::vector<Item> expired;                   ///< changes that are given up: they are older than event_ttl
    std::vector<Item> expired_before;            ///< of entities that have changed again: only their events have expired
    std::vector<Oid> truncated;                  ///< what the target holds from these is to be looked at
    std::set<std::pair<Oid, Oid>> dependents;    ///< (child, parent): it names the parent by other columns than its key, which has changed
    std::vector<outbox::Ended> truncations;      ///< events of `truncated`: over when that is done
    std::vector<outbox::Ended> over;             ///< events that are over, to be written down with the cursor
    std::vector<std::int64_t> captured;          ///< times of the commits, for the latency
    bool begun = false;                          ///< some of it has arrived
    bool caught_up = false;                      ///< nothing was left in the log
    bool passed_over = false;                    ///< events of which nothing is sent: there is something to write down
    bool recorded = false;                       ///< the main cursor was written down with it
    bool record = true;                          ///< false: more follows at once, and a later record tells of this piece too
    // backfill, sweep
    Job job;
    std::string position;  ///< where the job goes on after this piece
    bool finished = false; ///< the job has nothing after this piece
    std::int64_t done = 0;
};

class Stretch;

/// What is on its way: changes read under one snapshot, with everything they refer to.
struct Flight {
    config::Target target;
    std::vector<std::shared_ptr<Declared>> declared;
    std::vector<const mapping::Source *> sources;
    std::vector<const targets::Mapping *> mappings;
    std::vector<mapping::Change> changes;
    std::vector<Item> items;                                ///< of the changes, in the same order
    std::vector<outbox::Refusal> refusals;                  ///< rows that cannot be delivered as they are
    std::vector<outbox::Arrived> done;                      ///< entities that the target has, or with nothing to send
    std::vector<outbox::Doubt> doubts;                      ///< to be delivered once more after a while
    std::vector<outbox::Waiting> waiting;                   ///< entities that wait for something of their own
    std::map<Oid, std::string> troubled;                    ///< tables that could not be read, and why
    std::map<Oid, std::chrono::milliseconds> pause;         ///< of these: not to be tried again sooner
    std::set<Oid> paced;                                    ///< of these: their lane may not send yet
    std::string lane;                                       ///< of all that is sent
    bool timed_out = false;                                 ///< some request of it did
    bool outdated = false;                                  ///< a declaration has changed under it: nothing was read
    XLogRecPtr place = InvalidXLogRecPtr;                   ///< what was read is flushed up to here
    std::unique_ptr<targets::Events> events;                ///< of changes that are events
    std::unique_ptr<atproto::Context> context;              ///< of kinds whose record map lives here
    std::optional<delivery::Delivery> delivery;
    std::int64_t version = 0; ///< of what is sent
    std::int64_t sent_at = 0; ///< in microseconds since 2000; 0: nothing was
    std::vector<outbox::Ended> over; ///< events that its entities stood for
};

/// The target has this entity, or there is nothing to send for it. `version`: of what was sent, as the event log shows it.
void note_done(Flight &flight, Item &item, bool sent, std::optional<std::int64_t> version);

/// Absence removes where the sync says so; a key that was given up goes in any case. What a sweep finds to be gone may have been kept.
[[nodiscard]] bool nothing_to_send(const Declared &declared, const Item &item, const ReadRow &row, bool sweeping);
/// The flight is one of this sync's lane and owner.
void enter(Flight &flight, const Declared &declared, const Destination &destination, const Lanes &lanes);
/// What was read of an entity goes with it.
void board(Flight &flight, const std::shared_ptr<Declared> &declared, Item item, ReadRow row);

[[nodiscard]] outbox::Refusal refusal(const Item &item, std::string message);

/// What reads a sync, within the time that its target grants.
[[nodiscard]] Reader &reader_of(Declared &declared, const config::Target &target);

// Gathering: each in a transaction of its own.

/// What of the log is gathered: all that comes next, or only as far as all of it has expired.
enum class Extent : std::uint8_t { all, expired };
/// The next piece of the log after `cursor`: about `limit` entities. `apart`: tables with cursors of their own, left out unless
/// `cursor` is theirs. `stretch`: what has arrived of the stretch under way; may be null.
[[nodiscard]] Round gather_log(std::int64_t instance, const Destination &destination, const outbox::Cursor &cursor, const std::map<Oid, outbox::Cursor> &apart,
                               std::size_t limit, const Stretch *stretch = nullptr, Extent extent = Extent::all);
/// `cursors`: of the target; what was changed before an entity was unpublished has to be dealt with before that.
[[nodiscard]] Round gather_due(std::int64_t instance, const Destination &destination, const std::map<Oid, outbox::Cursor> &cursors, std::size_t limit);
/// Likewise the next events that are told one by one, in the order of the transactions. `sequence`: of this cursor, kept from one call to the next.
[[nodiscard]] Round gather_history(std::int64_t instance, const Destination &destination, const outbox::Cursor &cursor, const std::map<Oid, outbox::Cursor> &apart,
                                   outbox::Sequence &sequence, std::size_t limit, Extent extent = Extent::all);
/// What is to be written down of an event that waits behind another.
[[nodiscard]] outbox::Behind behind(const Item &item);
[[nodiscard]] std::vector<Job> load_jobs(std::int64_t instance, const std::string &target);

/// Reads items of the round under one snapshot, up to about `limit` and a budget of bytes, and takes them out of it. For a backfill: the next
/// rows of the job instead. Flushes what it has seen.
[[nodiscard]] std::unique_ptr<Flight> read_history(const Destination &destination, Round &round, std::size_t limit); ///< of events
[[nodiscard]] std::unique_ptr<Flight> read_flight(const Destination &destination, Round &round, std::size_t limit, Lanes &lanes);

/// Writes down what became of a flight, and, when the round has nothing left, where the target stands now.
/// What could not be delivered goes back into the round.
/// `carried`: events that are over since the cursor was last written down; they are written down when it is (Round::recorded).
void settle(std::int64_t instance, const Destination &destination, Round &round, Flight &flight, bool has_exceptions,
            const std::vector<outbox::Ended> &carried);
/// Of what was sent before its transaction has committed: what it has cost, and what may be applied late.
void settle_early(std::int64_t instance, const std::string &target, const Flight &flight);
/// A round without anything to send.
void settle_empty(std::int64_t instance, const std::string &target, Round &round, const std::vector<outbox::Ended> &carried);

} // namespace autosync::worker
