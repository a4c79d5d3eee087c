#include "operate/ask.hpp"

#include <algorithm>

#include "http/client.hpp"
#include "pg/spi.hpp"

namespace autosync::operate {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds interrupt_time{200}; ///< how often a cancel is looked for

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

} // namespace

http::Response ask(const http::Request &request, const http::Access &access, const http::Limits &limits)
{
    http::Client client;
    (void) client.send(request, access, limits);
    for (;;) {
        auto answers = client.work();
        if (!answers.empty())
            return std::move(answers.front().response);
        wait(client, std::min(interrupt_time, client.patience()));
    }
}

} // namespace autosync::operate
