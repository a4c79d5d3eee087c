#include "operate/rest.hpp"

#include <algorithm>

#include "pg/bridge.hpp"

namespace autosync::operate {

void rest(std::chrono::milliseconds time)
{
    const long pause = std::max<long>(1, time.count());
    pg::call([pause] {
        (void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, pause, PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    });
}

} // namespace autosync::operate
