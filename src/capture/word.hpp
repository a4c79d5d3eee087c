// What an application says itself, as an event of the current transaction.
#pragma once

#include <string>
#include <vector>

#include "capture/listeners.hpp"
#include "outbox/word.hpp"

namespace autosync::capture {

/// How an event of the current transaction that is told now is called. Its transaction gets an id by that.
struct Call {
    std::uint32_t serial = 0;
    std::string event_id;
};
[[nodiscard]] Call next_call();

/// Notes it for these targets. Of an entity that a table holds which a target is told of, it comes in order with the events of its row.
void note_word(const outbox::Word &word, const Call &call, const std::vector<const Listener *> &targets, const std::string &correlation_id);

} // namespace autosync::capture
