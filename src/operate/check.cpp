#include "operate/check.hpp"

#include <algorithm>

#include "config/target.hpp"
#include "http/client.hpp"
#include "operate/access.hpp"
#include "operate/rows.hpp"
#include "targets/target.hpp"

namespace autosync::operate {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds answer_time{10'000};  ///< for the answer, once connected
constexpr milliseconds interrupt_time{200};  ///< how often a cancel is looked for

/// Until the client has something to do or `longest` is over; raises when the statement is cancelled.
void wait(const http::Client &client, milliseconds longest)
{
    const int descriptor = client.descriptor();
    const long time = std::max<long>(0, longest.count());
    pg::call([descriptor, time] {
        (void) WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, descriptor, time, PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    });
}

http::Response ask(const http::Request &request, const http::Access &access, http::Limits limits)
{
    limits.request_timeout = std::min(limits.request_timeout, limits.connect_timeout + answer_time);
    http::Client client;
    (void) client.send(request, access, limits);
    for (;;) {
        auto answers = client.work();
        if (!answers.empty())
            return std::move(answers.front().response);
        wait(client, std::min(interrupt_time, client.patience()));
    }
}

} // namespace

Check check_target(const std::string &name, Oid user)
{
    const auto target = config::load_target(name, user);
    if (!target)
        throw pg::Failure{ERRCODE_UNDEFINED_OBJECT, "target \"" + name + "\" does not exist"};
    Check check;
    check.detail = target->problem;
    check.ok = check.detail.empty() && target->kind->capabilities().embedded;
    if (check.ok || !check.detail.empty())
        return check;
    const auto response = ask(target->kind->probe(target->description), target->description.access, target->limits);
    const auto probe = target->kind->read_probe(response);
    check = {probe.outcome == targets::Outcome::delivered, probe.version, response.elapsed, probe.detail};
    if (!check.ok && check.detail.empty())
        check.detail = response.error.empty() ? "the server answered with HTTP status " + std::to_string(response.status) : response.error;
    return check;
}

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_check_target)
{
    const std::string name = pg::name_argument(fcinfo, 0);
    (void) operate::require_target_usage(name);
    const auto check = operate::check_target(name, GetUserId());
    return operate::one_row(fcinfo, {operate::boolean_text(check.ok), operate::text_or_null(check.server_version),
                                     check.latency.count() > 0 ? pg::Cell{std::to_string(check.latency.count()) + " microseconds"} : pg::Cell{},
                                     operate::text_or_null(check.detail)});
}
