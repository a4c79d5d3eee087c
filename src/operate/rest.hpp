// How functions that watch the worker pass the time.
#pragma once

#include <chrono>

namespace autosync::operate {

/// At least a millisecond, unless something happens; raises when the statement is cancelled. Holds no lock of ours.
void rest(std::chrono::milliseconds time);

} // namespace autosync::operate
