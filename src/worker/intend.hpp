// What one change of a row asks of repositories.
#pragma once

#include <optional>
#include <string>

#include "worker/references.hpp"

namespace autosync::worker {

/// What is known when it is decided.
struct Situation {
    const Flight &flight;
    const References &references;
    std::size_t change = 0;
    const Known *known = nullptr; ///< the row's record
    std::string owner;            ///< who it is published as, in place of whom the row says
    std::string now;              ///< createdAt of what is new
    bool forced = false;          ///< the repository is asked, whatever the map says
    bool dismissed = false;       ///< somebody wants it gone, whoever has had a hand in it
};

struct Decision {
    std::optional<atproto::Intent> intent; ///< none: there is nothing to do
    std::optional<outbox::Waiting> waiting; ///< for the record of another row
};

[[nodiscard]] Decision intend(const Situation &situation);

} // namespace autosync::worker
