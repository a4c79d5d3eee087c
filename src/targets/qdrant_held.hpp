// What Qdrant holds of one row, for comparing: the payload, with the fingerprint of the text that was embedded; vectors are not compared.
#pragma once

#include "targets/qdrant_mapping.hpp"

namespace autosync::targets::qdrant {

/// Of read_payload(). Throws std::invalid_argument for a row that can be no point.
[[nodiscard]] Held read_point(const Server &server, const Compiled &mapping, const mapping::Change &change, const http::Response &response);

} // namespace autosync::targets::qdrant
