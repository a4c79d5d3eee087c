// A record as it is sent: completed, checked against the data model, with the identifier that its repository will give it.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace autosync::atproto {

struct Record {
    std::string json;
    std::string cid;

    friend bool operator==(const Record &, const Record &) = default;
};

/// Reads JSON within limits. Throws std::invalid_argument.
[[nodiscard]] nlohmann::json parse_record(std::string_view text);

/// Fills `$type` (the collection) and `createdAt` where they are missing. Throws std::invalid_argument that names the field for what
/// the data model does not have: a float, an integer beyond 2^53-1, malformed bytes, links and times, too much of everything.
[[nodiscard]] Record finish_record(nlohmann::json value, const std::string &collection, const std::string &created_at);

/// Integers that every reader holds exactly.
inline constexpr long long most_integer = 9'007'199'254'740'991;

} // namespace autosync::atproto
