// Strong references between synced rows: a record that names another one needs its URI and CID first.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "worker/record_map.hpp"

namespace autosync::worker {

/// What one change's references come to.
struct Referred {
    std::map<std::string, std::string> values; ///< field -> JSON
    std::string noted;                         ///< JSON, for the map
    std::optional<Row> missing;                ///< a row whose record has to be there first
    std::string message;                       ///< of `missing`
};

/// References of the changes of one flight. A reference names the version that it was first made to: it does not follow its parent's edits.
class References final {
public:
    /// In a transaction.
    References(std::int64_t instance, const std::string &target, const Flight &flight);

    [[nodiscard]] Referred of(std::size_t change, const Known *known) const;

private:
    struct Parent {
        atproto::Address at;
        std::string cid;
        std::string refs;
    };
    [[nodiscard]] const Parent *find(const Row &row) const;

    const Flight &flight_;
    std::map<Row, Parent> parents_;
};

/// What waits for records that are there by now is due. True: something does. In a transaction.
[[nodiscard]] bool release_children(std::int64_t instance, const std::string &target);

} // namespace autosync::worker
