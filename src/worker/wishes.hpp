// What a session asks of its database's worker for at once, whatever becomes of the transaction in which it asks: to forget an entity, or
// (table InvalidOid, key: role and DID) to try again what waits for a session. Handed
// over in shared memory, since nothing that the session writes can be seen before it commits.
#pragma once

#include <cstdint>
#include <string>

#include "pg/postgres.hpp"

namespace autosync::worker {

inline constexpr std::size_t longest_wish = 1'024; ///< bytes of the key

void request_wishes(); ///< in the hook that requests shared memory
void make_wishes();    ///< in the hook that lays it out; under AddinShmemInitLock

/// One wish of this session, for a scope.
class Wish final {
public:
    enum class State : std::uint8_t { asked, granted, denied };

    /// Throws pg::Failure when there is no place for it.
    Wish(Oid table, const std::string &key);
    ~Wish();
    Wish(const Wish &) = delete;
    Wish &operator=(const Wish &) = delete;
    [[nodiscard]] State state() const noexcept;

private:
    int place_ = -1;
};

/// For the worker: grants what the sessions of its database wish, each in a transaction of its own. True: something was granted, so what is
/// known of the catalogs and the agenda is to be read anew.
[[nodiscard]] bool grant_wishes(std::int64_t instance);

} // namespace autosync::worker
