// What a capture trigger has to know of its table, looked up once per session and kept until a catalog changes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "capture/buffer.hpp"
#include "capture/last_state.hpp"
#include "pg/canonical.hpp"
#include "pg/postgres.hpp"

namespace autosync::capture {

struct KeyPart {
    AttrNumber number = 0;
    pg::Canonical form;
};

struct Spec {
    bool active = false;           ///< false: nothing to note (switched off, or broken as declared: the worker and health() say so)
    Oid table = InvalidOid;        ///< that declares the sync: for a partition its partitioned table
    std::string target;
    std::int8_t waits = -1;        ///< whether a commit waits for the arrival: 0 no, 1 yes, -1 as the session says
    std::int8_t gathers = -1;      ///< whether changes are gathered for a while (debounce), likewise: then no commit waits for them
    unsigned operations = 0;       ///< bits 1 << outbox::Operation
    std::vector<KeyPart> key;
    std::shared_ptr<LastState> removes; ///< asked of a row that is deleted; null: the option on_delete is a word
    std::string used;              ///< bitmap of the attributes that the sync reads (bit n-1 = attribute n)

    // The topic of this sync's events in the current transaction, while epoch and session settings stay the same.
    Buffer::TopicId topic = 0;
    std::uint64_t epoch = 0;
};

/// The spec of a trigger that is firing; built at its first use. Never raises for what was declared.
[[nodiscard]] Spec &spec_of(const TriggerData &trigger);

} // namespace autosync::capture
