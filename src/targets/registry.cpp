#include <algorithm>
#include <array>

#include "targets/kinds.hpp"

namespace autosync::targets {

std::span<const Target *const> all()
{
    static const std::array kinds{
        atproto_kind(),
        neo4j_kind(),
        qdrant_kind(),
        test_kind(),
    };
    return kinds;
}

const Target *find(std::string_view kind)
{
    const auto found = std::ranges::find(all(), kind, [](const Target *target) { return target->kind(); });
    return found == all().end() ? nullptr : *found;
}

} // namespace autosync::targets
