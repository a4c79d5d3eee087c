// wait_delivered(): whether what was committed before the call has arrived.

#include <algorithm>
#include <chrono>

#include "capture/transaction.hpp"
#include "config/target.hpp"
#include "operate/access.hpp"
#include "operate/backlog.hpp"
#include "operate/newest.hpp"
#include "operate/rest.hpp"
#include "worker/shared.hpp"

namespace autosync::operate {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds first_pause{10};
constexpr milliseconds longest_pause{50};
constexpr milliseconds least_patience{1'000}; ///< with the worker, which looks at the catalogs within milliseconds

enum class Arrival : std::uint8_t { arrived, under_way, given_up };

/// Work that waits for this very transaction to end would never be seen done.
void require_nothing_of_our_own(const std::string &instance)
{
    bool own = capture::has_pending();
    if (!own) {
        const Active newest;
        for (const auto &row : pg::execute("SELECT xmin FROM autosync.jobs WHERE instance = $1::int8 UNION SELECT xmin FROM autosync.exceptions"
                                           " WHERE instance = $1::int8 AND status IN ('PENDING', 'RETRYING')",
                                           {instance}, true))
            own = own || TransactionIdIsCurrentTransactionId(static_cast<TransactionId>(std::stoul(row.front().value_or("0"))));
    }
    if (own)
        throw pg::Failure{ERRCODE_ACTIVE_SQL_TRANSACTION, "wait_delivered() cannot wait for changes of its own transaction",
                          "They are delivered after it has committed.", "Commit first, then call autosync.wait_delivered()."};
}

/// The log is looked at before the tables: what the worker moves from there to here meanwhile is then seen here.
Arrival look(const std::string &instance, const std::vector<std::string> &targets, Snapshot before, const std::string &since)
{
    bool under_way = false;
    each_pending(std::stoll(instance), targets, before, [&under_way](const Pending &) {
        under_way = true;
        return false;
    });
    const Active newest;
    for (const auto &target : targets) {
        const auto rows = pg::execute("SELECT EXISTS (SELECT FROM autosync.exceptions WHERE instance = $1::int8 AND target = $2::name AND (status = 'FAILED'"
                                      " OR (status = 'EXPIRED' AND updated_at >= $3::timestamptz))),"
                                      " EXISTS (SELECT FROM autosync.exceptions WHERE instance = $1::int8 AND target = $2::name"
                                      " AND (status IN ('RETRYING', 'WAITING_AUTH')"
                                      " OR (status = 'PENDING' AND verb IS DISTINCT FROM 'confirm')))" // that has arrived already
                                      " OR EXISTS (SELECT FROM autosync.behind WHERE instance = $1::int8 AND target = $2::name)"
                                      " OR EXISTS (SELECT FROM autosync.jobs WHERE instance = $1::int8 AND target = $2::name)"
                                      " OR EXISTS (SELECT FROM autosync.target_state WHERE instance = $1::int8 AND target = $2::name AND paused)",
                                      {instance, target, since}, true);
        if (rows.at(0).at(0) == "t")
            return Arrival::given_up;
        under_way = under_way || rows.at(0).at(1) == "t";
    }
    return under_way ? Arrival::under_way : Arrival::arrived;
}

/// The same, leaving no lock behind: a lock on the log or its cursors, kept while waiting, would keep the worker from truncating them.
Arrival glance(const std::string &instance, const std::vector<std::string> &targets, Snapshot before, const std::string &since)
{
    struct Seen {
        Arrival arrival;
    };
    try {
        pg::subtransaction([&] { throw Seen{look(instance, targets, before, since)}; });
    } catch (const Seen &seen) {
        return seen.arrival;
    }
    return Arrival::under_way;
}

/// What DDL changes without an event is not known to have arrived before the worker has looked at the catalogs.
class Review final {
public:
    [[nodiscard]] bool answered()
    {
        if (!worker::shared_memory_available())
            return true; // and no worker that could answer
        if (request_ == 0)
            request_ = worker::ask_for_review(MyDatabaseId);
        answered_ = answered_ || (request_ != 0 && worker::reviewed(MyDatabaseId, request_));
        return answered_;
    }

private:
    std::uint64_t request_ = 0;
    bool answered_ = false;
};

bool wait_for(const std::string &instance, const std::vector<std::string> &targets, Clock::time_point end)
{
    const pg::ActingAs owner{pg::extension_owner(), false};
    require_nothing_of_our_own(instance);
    const Kept before;
    const std::string since = pg::execute_one("SELECT clock_timestamp()").value_or("now");
    Review review;
    const auto patience = Clock::now() + least_patience;
    milliseconds pause = first_pause;
    for (;;) {
        const bool reviewed = review.answered(); // first: what it found is among the jobs then
        const auto arrival = glance(instance, targets, before.get(), since);
        const auto now = Clock::now();
        if (arrival == Arrival::given_up || (arrival == Arrival::under_way && now >= end))
            return false;
        if (arrival == Arrival::arrived && (reviewed || now >= std::max(end, patience)))
            return reviewed;
        rest(std::chrono::duration_cast<milliseconds>(std::min<Clock::duration>(pause, std::max(end, patience) - now)));
        pause = std::min(longest_pause, pause * 2);
    }
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_wait_delivered)
{
    if (fcinfo->args[1].isnull)
        throw pg::Failure{ERRCODE_NULL_VALUE_NOT_ALLOWED, "timeout must not be null"};
    const auto target = operate::optional_name(fcinfo, 0);
    const auto end = operate::Clock::now() + pg::duration_argument(fcinfo, 1);
    if (target)
        (void) operate::require_target(*target);
    const auto targets = target ? std::vector<std::string>{*target} : config::target_names();
    if (targets.empty())
        PG_RETURN_BOOL(true);
    const std::string instance = operate::require_adopted();
    PG_RETURN_BOOL(operate::wait_for(instance, targets, end));
}
