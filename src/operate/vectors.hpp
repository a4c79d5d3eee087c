// What functions on vectors have in common: a sync to Qdrant, as it is declared, with the target that it goes to.
#pragma once

#include <memory>
#include <string>

#include "config/sync.hpp"
#include "config/target.hpp"
#include "operate/key.hpp"
#include "targets/qdrant_mapping.hpp"

namespace autosync::operate {

/// Credentials are those of the table's owner.
struct VectorSync {
    config::Sync sync;
    config::Target target;
    std::unique_ptr<const targets::Mapping> mapping;

    [[nodiscard]] const targets::qdrant::Compiled &compiled() const { return targets::qdrant::compiled(*mapping); }
};

/// Raises 42704 when the table is not synced to the target, 42809 for a target of another kind, 55000 when it cannot be used as declared.
[[nodiscard]] VectorSync require_vector_sync(Oid source, const std::string &target);

/// An answer of the target or its embedder in place of which the statement fails.
[[noreturn]] void fail_with(const targets::Verdict &problem, const std::string &target);

} // namespace autosync::operate
