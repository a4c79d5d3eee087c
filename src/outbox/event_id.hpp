// How an event is called.
#pragma once

#include <cstdint>
#include <string>

namespace autosync::outbox {

/// Sortable and unique: transaction, chunk and place within it, in hexadecimal digits.
[[nodiscard]] std::string event_id(std::uint64_t xid, std::uint32_t seq, std::uint32_t ordinal);
inline constexpr std::uint32_t hand_made = 0xffff; ///< stands for the chunk in the id of a mark made by hand

} // namespace autosync::outbox
