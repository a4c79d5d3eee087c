// One target's rounds, one after the other: a state machine that never waits.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "delivery/retry.hpp"
#include "http/client.hpp"
#include "outbox/cursor.hpp"
#include "worker/agenda.hpp"
#include "worker/catalog.hpp"
#include "worker/clock.hpp"
#include "worker/early.hpp"
#include "worker/errand.hpp"
#include "worker/herald.hpp"
#include "worker/lane.hpp"
#include "worker/news.hpp"
#include "worker/round.hpp"
#include "worker/sessions.hpp"
#include "worker/shared.hpp"
#include "worker/stretch.hpp"

namespace autosync::worker {

/// What all runners of a worker share.
struct Desk {
    std::int64_t instance = 0;
    VersionClock clock;
    http::Client &client;
    Catalog catalog;
    News news;

    Desk(std::int64_t id, http::Client &shared_client) : instance{id}, clock{id}, client{shared_client} {}
};

class Runner final {
public:
    using TimePoint = std::chrono::steady_clock::time_point;

    Runner(Desk &desk, std::string target, std::map<Oid, outbox::Cursor> cursors);
    ~Runner(); ///< what is under way is given up: it is read again from the cursor
    Runner(const Runner &) = delete;
    Runner &operator=(const Runner &) = delete;

    /// Goes on as far as it can now. `look`: there may be new work. Returns how long it can be left alone.
    std::chrono::milliseconds turn(TimePoint now, bool look, const Agenda &agenda);
    /// False: not a ticket of this target.
    bool answer(http::Client::Ticket ticket, const http::Response &response, TimePoint now);
    void catalog_loaded();
    void take(Offer offer) { early_.take(std::move(offer)); }
    /// The cursors it was made with may be ahead of their records.
    void record_later(std::vector<outbox::Ended> over)
    {
        unrecorded_ = true;
        carried_ = std::move(over);
    }
    /// Events that are over, and not written down yet.
    [[nodiscard]] std::vector<outbox::Ended> take_over() { return std::move(carried_); }

    [[nodiscard]] bool busy() const { return flight_ != nullptr || round_.has_value() || errand_.has_value(); }
    [[nodiscard]] const std::map<Oid, outbox::Cursor> &cursors() const { return cursors_; }
    [[nodiscard]] const std::string &target() const { return target_; }

private:
    enum class Step : std::uint8_t { nothing, again, waiting };
    enum class Work : std::uint8_t { apart, log, due, job };

    struct Retry {
        TimePoint at{};
        unsigned failures = 0;
        bool costly = false; ///< it took long to fail
    };

    [[nodiscard]] std::chrono::milliseconds go_round(TimePoint now, bool look, const Agenda &agenda);
    Step start(TimePoint now, const Agenda &agenda);
    Step prepare_syncs(const Destination &destination);
    Step take_up(Work work, const Destination &destination, TimePoint now, const Agenda &agenda);
    Step catch_up_apart(const Destination &destination, TimePoint now);
    Step read_log(const Destination &destination);
    Step do_due(const Destination &destination);
    Step do_job(const Destination &destination, TimePoint now);
    Step do_mapped_job(const Destination &destination, const Job &job);
    Step collect(const Destination &destination, TimePoint now);
    Step rebuild(const Destination &destination, Job job, bool filling_elsewhere);

    Step send_early(TimePoint now);
    void land_early(TimePoint now);
    void account(const Flight &flight, const Round &round, TimePoint now);

    Step begin(Round round);
    Step go_on(TimePoint now);
    void launch(std::unique_ptr<Flight> flight, TimePoint now);
    [[nodiscard]] std::chrono::milliseconds pump(TimePoint now, bool paused);
    void land(TimePoint now);
    [[nodiscard]] static Retry later(TimePoint now, std::chrono::milliseconds usual, std::chrono::milliseconds due_to_cost);
    void land_records();
    [[nodiscard]] std::chrono::milliseconds keep_identities(TimePoint now);
    void adopt_cursors(Round &round);
    void forget_retries(std::map<Oid, Retry> &retries) const;
    void record();
    void expire_held_up(TimePoint now);
    void give_up(Round &round);
    void expire_from(const Destination &to, outbox::Cursor cursor);
    void expire_events(const Destination &to, outbox::Cursor cursor);
    void expire_apart(const Destination &to);

    Step run(Errand errand);
    void ask(http::Request request);
    void errand_answered(const http::Response &response, TimePoint now);
    void trouble(const delivery::Trouble &trouble, TimePoint now, bool timed_out = false);
    void success();
    void publish_state(TimePoint now);

    [[nodiscard]] const Destination *destination() const { return desk_.catalog.find(target_); }
    [[nodiscard]] const config::Target *any_access() const;
    [[nodiscard]] bool told_one_by_one(Oid source, const Destination &to) const; ///< the cursor's events are
    [[nodiscard]] bool mapped() const; ///< its target keeps a map of rows and records
    [[nodiscard]] std::size_t round_limit() const;

    Desk &desk_;
    std::string target_;
    std::map<Oid, outbox::Cursor> cursors_; ///< InvalidOid: the main one; others lag behind
    std::map<Oid, outbox::Sequence> sequences_; ///< of cursors whose events are told one by one
    Stretch stretch_; ///< of the main cursor
    std::map<Oid, Retry> apart_retries_;
    std::map<Oid, Retry> job_retries_; ///< tables whose jobs cannot be done for now
    Oid last_apart_ = InvalidOid;      ///< the table that lags behind and had its turn
    std::optional<Round> round_;
    std::unique_ptr<Flight> flight_;
    std::map<http::Client::Ticket, delivery::Delivery::Id> tickets_;
    std::optional<Errand> errand_;
    http::Client::Ticket errand_ticket_ = 0;
    std::map<std::string, atproto::Budget> budgets_; ///< by DID
    Keeper keeper_;
    bool unwritten_ = true; ///< there may be rows that do not know where their record is
    TimePoint write_at_{};
    std::chrono::milliseconds write_pause_{500};
    delivery::Breaker breaker_;
    delivery::TokenBucket bucket_;
    std::optional<delivery::Trouble> trouble_;
    Herald herald_;
    Lanes lanes_;
    EarlySends early_;
    std::optional<TargetState> shown_; ///< what stat_targets says
    bool has_exceptions_ = false;
    bool go_on_ = false; ///< an errand is done: whatever waited for it comes next
    bool news_ = false; ///< jobs or exceptions were noted that the agenda does not have yet
    std::array<Work, 4> line_{Work::apart, Work::log, Work::due, Work::job};
    http::Access access_;    ///< as of the last declaration
    bool timed_out_ = false; ///< what the trouble is: no answer in time
    bool paused_ = false;
    bool unrecorded_ = false; ///< the main cursor is ahead of its record
    std::vector<outbox::Ended> carried_; ///< events over since that record
    TimePoint recorded_at_{};
    TimePoint job_at_{};
    TimePoint collect_at_{};
    TimePoint expire_at_{};
};

} // namespace autosync::worker
