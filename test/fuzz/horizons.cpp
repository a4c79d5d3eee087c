#include "fuzz.hpp"
#include "outbox/horizon.hpp"

namespace autosync::fuzz {

using outbox::Horizon;

FUZZ(horizons)
{
    Horizon horizon;
    if (!accepts<std::runtime_error>([&] { horizon = Horizon::parse(bytes); }))
        return;
    holds(Horizon::parse(horizon.text()) == horizon);
    holds(horizon.xmin == 0 || horizon.sees(horizon.xmin - 1));
    holds(horizon.xmax < horizon.xmin || !horizon.sees(horizon.xmax));
    for (const auto xid : horizon.in_progress)
        holds(xid < horizon.xmin || !horizon.sees(xid));
}

} // namespace autosync::fuzz
