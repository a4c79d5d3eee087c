// What the tests of the bridge raise, and objects that show whether a destructor was skipped.
#pragma once

#include <string>

namespace probe {

/// Counts its living instances.
class Live final {
public:
    Live() { ++count; }
    Live(const Live &) { ++count; }
    Live &operator=(const Live &) = default;
    ~Live() { --count; }
    static int count;

private:
    std::string text_ = "long enough to be allocated by itself, so that a leak is one";
};

/// Raises an error of this kind; returns when there is none of this name.
void raise(const std::string &kind);

} // namespace probe
