// Which transactions a snapshot has seen, as a value that survives the snapshot: the text form of pg_snapshot.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace autosync::outbox {

struct Horizon {
    std::uint64_t xmin = 1;                ///< all before are seen, if they committed
    std::uint64_t xmax = 1;                ///< none from here on is seen
    std::vector<std::uint64_t> in_progress; ///< between the two, not seen; ascending

    [[nodiscard]] bool sees(std::uint64_t xid) const;
    [[nodiscard]] std::string text() const; ///< 'xmin:xmax:xip,…'
    /// Throws std::runtime_error when it is not a snapshot's text.
    [[nodiscard]] static Horizon parse(std::string_view text);

    friend bool operator==(const Horizon &, const Horizon &) = default;
};

} // namespace autosync::outbox
