// What a declaration must fulfil, for triggers by hand and for functions alike.
#pragma once

#include <string>

#include "config/options.hpp"
#include "config/sync.hpp"

namespace autosync::declaration {

struct Checked {
    config::Sync sync;
    std::string description; ///< of the target: label and relationships, JSON text
};

/// Raises for an unknown option (HV00D) or a malformed value (22023).
void check_options(const std::string &kind, config::Level level, const config::Options &options, bool hide_statement = false);
/// Raises unless this table can be synced to the target with these options. The target must exist.
[[nodiscard]] Checked check_sync(Oid table, const std::string &target, const config::Options &options);
/// Raises unless what the option says is one condition on the table's columns, seen with the rights and the search_path under which it is evaluated.
void check_condition(const config::Sync &sync, const char *option, const std::string &condition);

/// Likewise unless `expression` is one that gives text.
void check_text(const config::Sync &sync, const std::string &expression);

/// While one lives, the event trigger leaves triggers and servers alone: whoever makes them checks them.
class Quiet final {
public:
    Quiet() { ++depth_; }
    ~Quiet() { --depth_; }
    Quiet(const Quiet &) = delete;
    Quiet &operator=(const Quiet &) = delete;
    [[nodiscard]] static bool on() { return depth_ > 0; }

private:
    inline static int depth_ = 0;
};

} // namespace autosync::declaration
