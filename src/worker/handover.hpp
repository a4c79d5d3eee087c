// What a session hands to the worker before its transaction commits (delivery = sync), and what has become of it. The bytes lie in a segment of
// their own; who hands over what, in shared memory.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pg/postgres.hpp"

namespace autosync::worker {

inline constexpr std::size_t verdict_text = 512;

struct Verdict {
    enum class Kind : std::uint8_t {
        none,      ///< not yet
        delivered, ///< the target has confirmed all
        failed,    ///< it has not, and why
        declined   ///< cannot be sent before the commit: it is to be waited for
    };
    Kind kind = Kind::none;
    int sqlstate = 0;
    std::array<char, verdict_text> message{};
};
[[nodiscard]] Verdict verdict(Verdict::Kind kind, int sqlstate, const std::string &message) noexcept;

void request_handovers(); ///< in the hook that requests shared memory
void make_handovers();    ///< in the hook that lays it out; under AddinShmemInitLock

/// A session's side. It is withdrawn when it ends.
class Handover final {
public:
    /// Needs a transaction. Raises where memory is short.
    Handover(const std::string &target, std::uint64_t xid, std::string_view bytes);
    ~Handover();
    Handover(const Handover &) = delete;
    Handover &operator=(const Handover &) = delete;

    [[nodiscard]] Verdict look() noexcept;
    /// A worker has it, and is still there.
    enum class Hands : std::uint8_t { none, worker, lost };
    [[nodiscard]] Hands hands() noexcept;

private:
    dsm_segment *segment_ = nullptr;
};

/// The worker's side.
struct Offer {
    int place = 0;
    std::uint64_t serial = 0;
    std::uint64_t xid = 0; ///< of the transaction that is still open
    std::string target;
    std::string bytes;
};
/// What sessions of this database have handed over since the last look.
[[nodiscard]] std::vector<Offer> take_offers();
/// Nothing happens when the session has withdrawn it.
void answer(const Offer &offer, const Verdict &verdict) noexcept;

} // namespace autosync::worker
