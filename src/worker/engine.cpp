#include "worker/engine.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "config/settings.hpp"
#include "outbox/exceptions.hpp"
#include "outbox/history.hpp"
#include "outbox/identity.hpp"
#include "outbox/log.hpp"
#include "pg/spi.hpp"
#include "worker/agenda.hpp"
#include "worker/alarm.hpp"
#include "worker/census.hpp"
#include "worker/ddl.hpp"
#include "worker/early_rows.hpp"
#include "worker/expiry.hpp"
#include "worker/handover.hpp"
#include "worker/runner.hpp"
#include "worker/shared.hpp"
#include "worker/waiters.hpp"
#include "worker/wall_clock.hpp"
#include "worker/wishes.hpp"

namespace autosync::worker {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

namespace {

constexpr milliseconds housekeeping_every{1'000};
constexpr std::uint64_t compact_after = 5'000; // looks; about as many cursor records at most
constexpr milliseconds error_pause{1'000};
constexpr int disturbances_told = 10;          // in a row, until somebody is told
constexpr milliseconds reload_pause{100};      // unknown tables may change all the time
constexpr milliseconds news_pause{1};          // others are told of a commit within microseconds
constexpr milliseconds doubt_pause{10'000};    // what we know is read again although nobody has told us of a change: not all that mends it does
constexpr int doubt_share = 100;               // of the time at most

} // namespace

struct Engine::State {
    http::Client client;
    std::unique_ptr<Desk> desk;                ///< null: not adopted
    std::map<std::string, Runner> runners;
    std::map<std::string, Agenda> agenda;
    std::map<std::string, Clock::time_point> due_again; ///< when a runner wants to look again
    std::map<std::string, Clock::time_point> broken_until;
    std::map<std::string, int> disturbed; ///< how often in a row, by what passes by itself
    Clock::time_point housekeeping{};
    WallClock wall;
    Clock::time_point next_look{};
    Clock::time_point reload_at{};
    Clock::time_point doubt_at{};
    Alarm alarm;
    Census census;
    std::uint64_t looks = 0;
    std::uint64_t review = 0;   ///< the last request to look at the catalogs
    std::uint64_t reviewed = 0; ///< the last that was answered
    bool complete = false;      ///< the last load() has left nothing out
    bool look_again = true;

    /// Whether this database is ours to deliver for; a changed identity begins anew.
    bool adopted()
    {
        std::optional<outbox::Identity> identity;
        pg::transaction([&] { identity = outbox::identity(); });
        if (!identity || !identity->adopted) {
            runners.clear();
            desk.reset();
            return false;
        }
        if (desk == nullptr || desk->instance != identity->id) {
            runners.clear();
            census = {};
            desk = std::make_unique<Desk>(identity->id, client);
            load();
        }
        return true;
    }

    /// Whoever asked for a review is answered once all that was committed before has been looked at. What was asked was read before the
    /// transaction in which we heard of changes.
    void answer_review()
    {
        if (review == reviewed || !complete)
            return;
        note_review(MyDatabaseId, review);
        reviewed = review;
    }

    void load()
    {
        const auto began = Clock::now();
        std::map<std::string, std::map<Oid, outbox::Cursor>> cursors;
        pg::transaction([&] {
            const pg::ActiveSnapshot snapshot;
            complete = desk->catalog.load(desk->instance);
            for (auto &cursor : outbox::load_cursors(desk->instance))
                cursors[cursor.target][cursor.source] = cursor;
        });
        for (const auto &[name, destination] : desk->catalog.destinations()) {
            if (!runners.contains(name))
                runners.try_emplace(name, *desk, name, std::move(cursors[name]));
        }
        for (auto at = runners.begin(); at != runners.end();) {
            const bool gone = desk->catalog.find(at->first) == nullptr; // also in the middle of a round: nobody waits for that
            at = gone ? runners.erase(at) : std::next(at);
        }
        std::vector<std::string> names;
        for (auto &[name, runner] : runners) {
            runner.catalog_loaded();
            names.push_back(name);
        }
        forget_targets(MyDatabaseId, names);
        const auto ended = Clock::now();
        reload_at = ended + reload_pause;
        doubt_at = ended + std::max<Clock::duration>(doubt_pause, doubt_share * (ended - began));
    }

    /// What a runner does; when it raises, the runner begins anew after a while.
    template <typename Body>
    void attempt(std::string name, Clock::time_point now, Body &&body)
    {
        try {
            body();
            disturbed.erase(name);
            return;
        } catch (const pg::Error &error) { // its transaction is rolled back: this target waits, the others go on
            if (!passes(error) || ++disturbed[name] >= disturbances_told)
                pg::report(LOG, error.sqlstate(), "deliveries to target \"" + name + "\" were interrupted", error.what(), "They are tried again.");
        } catch (const std::exception &error) {
            pg::report(LOG, ERRCODE_INTERNAL_ERROR, "deliveries to target \"" + name + "\" were interrupted", error.what(), "They are tried again.");
        }
        // Nothing is half done: what was not settled is read again from the cursor.
        auto cursors = runners.at(name).cursors();
        auto over = runners.at(name).take_over();
        runners.erase(name);
        auto &fresh = runners.try_emplace(name, *desk, name, std::move(cursors)).first->second;
        fresh.record_later(std::move(over));
        fresh.catalog_loaded();
        broken_until[name] = now + error_pause;
    }

    void hand_out_answers(Clock::time_point now)
    {
        for (const auto &[ticket, response] : client.work()) {
            for (auto &[name, runner] : runners) {
                bool taken = true; // also by one that was interrupted: it is another one by now
                attempt(name, now, [&] { taken = runner.answer(ticket, response, now); });
                if (taken)
                    break;
            }
        }
    }

    void keep_house(Clock::time_point now)
    {
        if (now < housekeeping)
            return;
        housekeeping = now + housekeeping_every;
        if (wall.was_set_back(now)) // also before this worker came: nobody waits for what it said then
            look_again = outbox::hurry_what_lies_ahead(desk->instance, WallClock::noticeable) || look_again;
        std::vector<outbox::Cursor> cursors;
        for (const auto &[name, runner] : runners) {
            for (const auto &[table, cursor] : runner.cursors())
                cursors.push_back(cursor);
        }
        for (const auto &[name, destination] : desk->catalog.destinations())
            if (agenda[name].has_exceptions && expires(destination))
                (void) expire_marks(desk->instance, destination);
        alarm.look(desk->instance, desk->catalog, now);
        outbox::turn_history(desk->instance);
        // A target that we do not know yet may have events in a log that all others have passed.
        outbox::rotate(desk->instance, cursors, [] { return !Catalog::stale() && !Catalog::suspect(); });
        if (looks > compact_after) {
            looks = 0;
            outbox::compact_cursors(desk->instance);
        }
    }

    /// What has been handed over, by sessions that may have declared its sync a moment before.
    std::vector<Offer> take_offers()
    {
        auto offers = worker::take_offers();
        if (offers.empty())
            return offers;
        pg::transaction([] {}); // with its begin it hears of that
        const auto is_new = [this](const Offer &offer) {
            const auto *const destination = desk->catalog.find(offer.target);
            return destination == nullptr || std::ranges::any_of(unpack_early(offer.bytes), [&](const EarlyTable &it) { return destination->find(it.table) == nullptr; });
        };
        if (Catalog::stale() || (Catalog::suspect() && std::ranges::any_of(offers, is_new)))
            load();
        return offers;
    }

    milliseconds run(const std::string &name, Runner &runner, Clock::time_point now, bool look)
    {
        if (const auto broken = broken_until.find(name); broken != broken_until.end() && now < broken->second)
            return std::chrono::duration_cast<milliseconds>(broken->second - now) + milliseconds{1};
        const bool mine = look || (due_again.contains(name) && due_again[name] <= now);
        milliseconds patience = error_pause;
        attempt(name, now, [&] {
            patience = runner.turn(now, mine, agenda[name]);
            due_again[name] = Clock::now() + patience;
        });
        return patience;
    }
};

Engine::Engine() : state_{std::make_unique<State>()} {}
Engine::~Engine() = default;

int Engine::descriptor() const { return state_->client.descriptor(); }

bool Engine::idle() const
{
    return std::none_of(state_->runners.begin(), state_->runners.end(), [](const auto &entry) { return entry.second.busy(); });
}

milliseconds Engine::turn(bool woken)
{
    State &state = *state_;
    auto now = Clock::now();
    const milliseconds poll{config::settings.poll_interval};
    const bool told = state.desk != nullptr && state.desk->news.arrived();
    if (told)
        pg::transaction([&state] { state.desk->news.hear(); });
    const bool look = told || woken || state.look_again || now >= state.next_look;
    if (now >= state.next_look)
        outbox::forget_identity(); // nor has everybody told us who we are by now: one row, read again
    if (look)
        state.review = reviews_asked(MyDatabaseId);
    if (look || Catalog::stale() || Catalog::suspect()) {
        if (!state.adopted())
            return poll;
        const bool asked = state.review != state.reviewed && state.complete;
        if (Catalog::stale() || (Catalog::suspect() && (asked || now >= state.reload_at)) || now >= state.doubt_at)
            state.load();
        state.answer_review();
    }
    if (state.desk == nullptr)
        return poll;
    if (look && grant_wishes(state.desk->instance))
        state.load(); // what is forgotten is not to be sent from here on
    if (look) {
        ++state.looks;
        state.next_look = now + poll;
    }
    state.hand_out_answers(now);
    for (auto &offer : state.take_offers()) {
        const auto runner = state.runners.find(offer.target);
        if (runner == state.runners.end())
            answer(offer, verdict(Verdict::Kind::declined, 0, "")); // declared by the transaction itself
        else {
            state.due_again[offer.target] = now;
            runner->second.take(std::move(offer));
        }
    }
    const bool any_due = look || std::any_of(state.due_again.begin(), state.due_again.end(), [now](const auto &entry) { return entry.second <= now; });
    if (any_due) {
        pg::transaction([&] {
            const pg::ActiveSnapshot snapshot;
            state.agenda = read_agenda(state.desk->instance);
        });
    }
    state.look_again = false;
    milliseconds patience = poll;
    std::vector<std::string> names;
    for (const auto &[name, runner] : state.runners)
        names.push_back(name);
    for (const auto &name : names)
        patience = std::min(patience, state.run(name, state.runners.at(name), now, look));
    answer_waiters(state.desk->instance, [&state](const std::string &target) {
        const auto runner = state.runners.find(target);
        return runner == state.runners.end() ? nullptr : &runner->second.cursors();
    });
    state.keep_house(now);
    if (const auto next = state.census.take(state.desk->instance, now, state.looks))
        patience = std::min(patience, std::chrono::ceil<milliseconds>(*next - now));
    if (Catalog::stale() || Catalog::suspect()) {
        state.look_again = true;
        patience = Catalog::stale() ? milliseconds{0} : std::min(patience, reload_pause);
    }
    patience = std::min(patience, state.desk->news.arrived() ? news_pause : poll);
    if (state.client.in_flight() > 0)
        patience = std::min(patience, state.client.patience());
    return std::max(patience, milliseconds{0});
}

} // namespace autosync::worker
