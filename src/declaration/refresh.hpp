// The triggers on other tables that the option refresh_on asks for.
#pragma once

#include <string>

#include "config/catalog.hpp"

namespace autosync::declaration {

/// Makes the triggers that the options ask for, of a sync that is declared by now, and drops those that no sync to this target asks for any more
/// of the tables that `before` named.
void arrange_refresh(const config::Table &parent, const std::string &target, const config::Options &before, const config::Options &after);
/// Says of each table that has no such trigger what to do, for who declares a sync by hand.
void notice_of_refresh(const config::Table &parent, const std::string &target, const config::Options &options);

} // namespace autosync::declaration
