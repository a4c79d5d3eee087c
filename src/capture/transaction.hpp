// The session's side of the outbox: what the current transaction has changed, and what happens to it at the transaction's end.
#pragma once

#include <cstdint>

#include "capture/buffer.hpp"

namespace autosync::capture {

/// The current transaction's buffer. The first call of a session registers the transaction callbacks.
[[nodiscard]] Buffer &buffer();

/// To be called after something was noted: writes to the log early when the buffer has grown large, or when the transaction is
/// already past the point where it would have been written.
void noted();
/// Likewise, when events carry their rows: the transaction's place among others is written down with its last chunk.
void noted_rows();

/// Numbers events of the current transaction from 1 on, also those that are rolled back.
[[nodiscard]] std::uint32_t next_serial() noexcept;

/// The current transaction has written changes to the log already.
[[nodiscard]] bool has_written() noexcept;
/// The current transaction has changed synced rows: they cannot arrive before it commits.
[[nodiscard]] bool has_pending() noexcept;

} // namespace autosync::capture
