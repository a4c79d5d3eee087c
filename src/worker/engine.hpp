// Everything a worker does for its database: rounds for each target, side by side, without ever waiting for one.
#pragma once

#include <chrono>
#include <memory>

namespace autosync::worker {

class Engine final {
public:
    Engine();
    ~Engine();
    Engine(const Engine &) = delete;
    Engine &operator=(const Engine &) = delete;

    /// Does what is due without blocking. `woken`: somebody has committed since the last turn. Returns how long to sleep at most.
    std::chrono::milliseconds turn(bool woken);
    /// Becomes readable when an answer is there.
    [[nodiscard]] int descriptor() const;
    [[nodiscard]] bool idle() const; ///< nothing under way, nothing waiting to be tried again soon

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace autosync::worker
