// The identifier of a record's content, as its repository will compute it: DAG-CBOR, SHA-256, CIDv1 in base32.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace autosync::atproto {

/// Canonical CBOR: keys by length, then by bytes; {"$link": cid} as a link, {"$bytes": base64} as bytes. Throws std::invalid_argument for
/// what the data model does not have: a float, a malformed link or bytes.
[[nodiscard]] std::string dag_cbor(const nlohmann::json &value);
[[nodiscard]] std::string cid_of(std::string_view block); ///< of a record's encoded form
[[nodiscard]] std::string raw_cid_of(std::string_view bytes); ///< of a blob

/// The bytes of a CID in its text form; empty when it is none.
[[nodiscard]] std::string cid_bytes(std::string_view text);

} // namespace autosync::atproto
