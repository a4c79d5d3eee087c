// What a sync looks like to its target, apart from columns and rows: the name, the key, the links to parents.
#pragma once

#include <optional>
#include <string>

#include "config/sync.hpp"
#include "worker/signature.hpp"

namespace autosync::worker {

/// One line. Tables and schemas are renamed, foreign keys come and go: all of it is part of what was delivered.
[[nodiscard]] std::string shape(const config::Sync &sync);
/// The name under which the rows of a sync were delivered, from a noted text that begins with its shape.
[[nodiscard]] std::optional<std::string> name_of_shape(const std::string &noted);
/// Between two noted texts: a shape, a line end, a signature.
[[nodiscard]] Drift drift(const std::string &before, const std::string &now);

} // namespace autosync::worker
