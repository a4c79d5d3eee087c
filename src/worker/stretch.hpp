// What of a long stretch of the log has arrived before its end: what is marked many times over in a long backlog is sent once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "outbox/horizon.hpp"
#include "worker/round.hpp"

namespace autosync::worker {

/// A stretch ends at a horizon, and its rows are read under snapshots that have seen all of that. So the target has what any later piece of the
/// same stretch says of an entity that has arrived. Bounded, and in memory only: who does not find an entity here sends it again. Insertions are not
/// remembered: most rows are loaded once, and that is to cost nothing here; one that changes again is with its first update.
class Stretch final {
public:
    struct Arrival {
        std::optional<std::int64_t> version; ///< of what was sent; nullopt: nothing was to be sent
        std::int64_t sent_at = 0;            ///< in microseconds since 2000; 0: nothing was
    };

    /// A flight of a round has landed; one of the log's own pieces counts.
    void note(const Round &round, const Flight &flight);
    /// Null: it is not known to have arrived in the stretch that ends there.
    [[nodiscard]] const Arrival *find(const outbox::Horizon &end, Oid table, const std::string &key) const;
    /// The catalogs have been read anew: what was read as declared before does not count.
    void follow(const Destination &destination);

private:
    void forget();

    outbox::Horizon end_;
    std::map<Oid, std::unordered_map<std::string, Arrival>> arrived_;
    std::size_t entities_ = 0; ///< that were ever noted of the stretch
    std::size_t bytes_ = 0;    ///< of their keys
};

} // namespace autosync::worker
