// A request beside the rounds: preparing the target for a sync, listing what it holds, removing it, collecting tombstones.
#pragma once

#include <deque>
#include <memory>

#include "http/message.hpp"
#include "worker/round.hpp"

namespace autosync::worker {

struct Errand {
    enum class Kind : std::uint8_t { prepare, enumerate, purge, collect, rebuild };
    Kind kind = Kind::prepare;
    std::shared_ptr<const config::Target> target; ///< stays where it is: dialogues refer to it
    std::shared_ptr<Declared> declared;
    std::deque<targets::Planned> requests; ///< one after the other; the front is under way
    Job job;                            ///< of enumerate, purge and rebuild
    std::unique_ptr<atproto::Context> context; ///< of a purge by the record map
    std::vector<std::string> keys;             ///< what it removes
};

/// What a purge is about: the sync may be declared otherwise by now, or not at all.
[[nodiscard]] std::shared_ptr<Declared> declared_for_purge(const std::string &target, const Job &job, const config::Target &access);

/// Notes how far a purge is; done when nothing was left to remove.
void settle_purge(std::int64_t instance, const std::string &target, const Job &job, std::size_t removed);

} // namespace autosync::worker
