// How an event is called.
#pragma once

#include <cstdint>
#include <string>

namespace autosync::outbox {

/// Sortable and unique: transaction, chunk and place within it, in hexadecimal digits.
[[nodiscard]] std::string event_id(std::uint64_t xid, std::uint32_t seq, std::uint32_t ordinal);
/// Of an event in the log: made of its place, or, where it was told before that was known, of its serial number within the transaction.
[[nodiscard]] std::string event_id(std::uint64_t xid, std::uint32_t seq, std::uint32_t ordinal, std::uint32_t serial);
inline constexpr std::uint32_t hand_made = 0xffff; ///< stands for the chunk in the id of a mark made by hand
inline constexpr std::uint32_t spoken = 0xfffe;    ///< likewise in that of an event with a serial number

} // namespace autosync::outbox
