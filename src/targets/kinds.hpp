// The kinds of targets, one factory each, for the registry. The objects live for ever: they have no state, and no destructor runs at exit.
#pragma once

#include <cstddef>
#include <new>

#include "targets/target.hpp"

namespace autosync::targets {

[[nodiscard]] const Target *atproto_kind();
[[nodiscard]] const Target *neo4j_kind();
[[nodiscard]] const Target *qdrant_kind();
[[nodiscard]] const Target *test_kind();

template <class Kind> [[nodiscard]] const Target *immortal()
{
    alignas(Kind) static std::byte storage[sizeof(Kind)];
    static const Target *const made = new (storage) Kind;
    return made;
}

} // namespace autosync::targets
