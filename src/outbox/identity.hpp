// Who this installation is: a copy of the database does not deliver.
#pragma once

#include <cstdint>
#include <optional>

#include "pg/postgres.hpp"

namespace autosync::outbox {

/// What autosync.instance says.
struct Identity {
    std::int64_t id = 0;
    bool adopted = false; ///< it names this cluster, this database and this autosync.instance_id
};

/// nullopt: never adopted, or the extension is not installed. Cached until autosync.instance changes. Needs a transaction.
[[nodiscard]] std::optional<Identity> identity();
/// The id under which this database captures.
[[nodiscard]] std::optional<std::int64_t> instance_id();
/// It is read again the next time it is asked for.
void forget_identity() noexcept;
/// To be called after autosync.instance was changed: tells every session.
void identity_changed();

} // namespace autosync::outbox
