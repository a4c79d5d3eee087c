// What is due in a worker: rounds of the targets, answers of requests. A place-holder until the rounds exist.
#pragma once

#include <chrono>

namespace autosync::worker {

class Engine {
public:
    std::chrono::milliseconds turn() { return std::chrono::hours{1}; }
    int descriptor() const { return -1; }
    bool idle() const { return true; }
};

} // namespace autosync::worker
