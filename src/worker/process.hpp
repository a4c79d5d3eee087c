// What the launcher and the workers have in common as processes of the server.
#pragma once

#include <exception>

#include "pg/postgres.hpp"

namespace autosync::worker {

/// How the server is told of a process that runs `entry` of this library.
[[nodiscard]] BackgroundWorker background_worker(const char *name, const char *entry, int restart_seconds);

/// SIGTERM ends even a query that runs, SIGHUP asks for a reload; signals are let in.
void accept_signals();
/// SIGTERM has come. To be asked between transactions, where the process can leave without an error.
[[nodiscard]] bool terminated() noexcept;
/// What every turn of a loop begins with: the latch is reset, interrupts are served, a changed configuration is read.
bool serve_interrupts(); ///< true: settings were read anew
/// Tells the server log why a process gives up, and cleans up after the transaction in which it happened.
void give_up(const char *who, const std::exception &reason);

} // namespace autosync::worker
