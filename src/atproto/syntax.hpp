// The forms of the AT Protocol's names: what a server would refuse is found out before it is sent.
#pragma once

#include <string_view>

namespace autosync::atproto {

[[nodiscard]] bool is_nsid(std::string_view text);     ///< 'app.bsky.feed.post'
[[nodiscard]] bool is_did(std::string_view text);      ///< 'did:plc:…', 'did:web:example.com'
[[nodiscard]] bool is_handle(std::string_view text);   ///< 'user.example.com'
[[nodiscard]] bool is_rkey(std::string_view text);     ///< 1–512 of A–Z a–z 0–9 . _ : ~ -, neither '.' nor '..'
[[nodiscard]] bool is_datetime(std::string_view text); ///< '2024-02-29T12:34:56.789Z': with 'T' and a zone, of the years 0001–9999

} // namespace autosync::atproto
