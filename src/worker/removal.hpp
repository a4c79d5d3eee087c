// Removing the records of a source that is not synced any more, as the record map knows them. Each in a transaction of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "atproto/context.hpp"
#include "config/target.hpp"

namespace autosync::worker {

/// The next of a source's records that can be removed, of one identity with a session.
struct Removal {
    std::unique_ptr<atproto::Context> context;
    std::vector<std::string> keys; ///< none: those that are left have no session
    std::optional<targets::Planned> planned;
};
[[nodiscard]] Removal plan_removal(std::int64_t instance, const std::string &target, Oid source, const config::Target &declared);
/// What became of the sessions.
void note_setbacks(std::int64_t instance, const std::string &target, const atproto::Context &context);
/// They are removed.
void forget_keys(std::int64_t instance, const std::string &target, Oid source, const std::vector<std::string> &keys);

/// The keys of a source that have a record, after `after` in key order.
[[nodiscard]] std::vector<std::string> recorded_keys(std::int64_t instance, const std::string &target, Oid source, const std::string &after,
                                                     std::size_t limit);

} // namespace autosync::worker
