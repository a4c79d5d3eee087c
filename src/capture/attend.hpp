// What the commit of the current transaction does for a change beside writing it down.
#pragma once

#include <string>

#include "capture/arrival.hpp"
#include "capture/early.hpp"
#include "capture/spec.hpp"

namespace autosync::capture {

inline void attend(const Manner &manner, const std::string &target, Oid table, bool truncated)
{
    const int delivery = manner.now();
    if (delivery == config::wait_for_delivery)
        await_arrival(target, table, truncated);
    else if (delivery == config::deliver_before)
        send_early(target, table, truncated);
}

} // namespace autosync::capture
