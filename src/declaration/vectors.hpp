// What the options of a sync that gives vectors must fulfil together.
#pragma once

#include "config/sync.hpp"

namespace autosync::declaration {

/// Raises unless they make sense for the table and the target. Only names, types and options are looked at: no server is asked.
void check_vectors(const config::Sync &sync);

} // namespace autosync::declaration
