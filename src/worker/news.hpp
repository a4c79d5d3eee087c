// What transactions declare, or pause, must be known before anything is sent that changed with it, or after it.
#pragma once

#include <cstdint>
#include <vector>

#include "pg/postgres.hpp"

namespace autosync::worker {

void request_news(); ///< in the hook that requests shared memory
void make_news();    ///< in the hook that lays it out; under AddinShmemInitLock

/// A session's side: its transaction, which is about to commit or to be prepared, declares something. Never raises, never waits.
void announce() noexcept;

/// Whether a transaction that can be seen to have committed has let all others know what it declared, and we know it: that comes a moment later, and
/// its locks go only then. Needs a transaction.
[[nodiscard]] bool heard_of(TransactionId xid);

/// The worker's side, for its database.
class News final {
public:
    /// Something was announced since the last hear(), or has ended that was under way then.
    [[nodiscard]] bool arrived() const;
    /// What is read of declarations, and of what is paused, after this is no older than what was announced before; if something cannot be heard yet,
    /// it is still to arrive. Needs a transaction.
    void hear();

private:
    bool ever_ = false;
    std::uint32_t count_ = 0;
    std::vector<TransactionId> announced_;
    std::vector<TransactionId> under_way_; ///< of these
};

} // namespace autosync::worker
