// A target that turns texts into vectors depends on the server that does it.
#pragma once

#include <string>

#include "pg/postgres.hpp"

namespace autosync::declaration {

/// Raises unless the embedder that the server names, if any, is one (a WARNING during a restore, which may still have to make it); records
/// that the server depends on it: DROP SERVER says so, and takes the target along with CASCADE.
void check_embedder(const std::string &server);
/// Records it again where it is not: pg_upgrade does not carry it over. False: somebody has one of them locked, and may be about to drop it.
[[nodiscard]] bool restore_embedder(const std::string &server);
/// A target that names this embedder; empty: there is none.
[[nodiscard]] std::string target_of_embedder(const std::string &embedder);

} // namespace autosync::declaration
