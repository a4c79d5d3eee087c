// Snapshots for functions that watch the worker from inside a transaction.
#pragma once

#include <exception>

#include "pg/bridge.hpp"

namespace autosync::operate {

/// Makes a snapshot the active one for a scope.
class Active final {
public:
    /// The newest committed state, also inside a repeatable read transaction.
    Active() { pg::call([] { PushActiveSnapshot(GetLatestSnapshot()); }); }
    explicit Active(Snapshot snapshot)
    {
        pg::call([snapshot] { PushActiveSnapshot(snapshot); });
    }
    ~Active()
    {
        // When an error is on its way, the abort of the (sub)transaction takes it off itself.
        if (std::uncaught_exceptions() == 0)
            PopActiveSnapshot();
    }
    Active(const Active &) = delete;
    Active &operator=(const Active &) = delete;
};

/// The newest committed state, kept over several statements for a scope.
class Kept final {
public:
    Kept() : snapshot_{pg::call([] { return RegisterSnapshot(GetLatestSnapshot()); })} {}
    ~Kept()
    {
        // When an error is on its way, the resource owner gives it back.
        if (std::uncaught_exceptions() == 0)
            UnregisterSnapshot(snapshot_);
    }
    Kept(const Kept &) = delete;
    Kept &operator=(const Kept &) = delete;
    [[nodiscard]] Snapshot get() const noexcept { return snapshot_; }

private:
    Snapshot snapshot_;
};

} // namespace autosync::operate
