#include "worker/handover.hpp"

#include <algorithm>

#include "pg/bridge.hpp"
#include "worker/shared.hpp"
#include "worker/slots.hpp"

namespace autosync::worker {

namespace {

/// One per backend. Guarded by the lock on all slots.
struct Place {
    Oid database; ///< InvalidOid: nothing is handed over here
    std::uint64_t serial;
    std::uint64_t xid;
    char target[NAMEDATALEN];
    dsm_handle segment;
    std::size_t size;
    Latch *latch;
    pid_t taker; ///< the worker that has it; 0: none
    Verdict verdict;
};

struct Counters {
    pg_atomic_uint32 open; ///< handed over and not taken
    std::uint64_t serial;
};

Counters *counters = nullptr;
Place *places = nullptr;

Size size_of_places() { return sizeof(Place) * static_cast<Size>(MaxBackends); }

Place *mine() noexcept { return places == nullptr || MyProc == nullptr || number_of(MyProc) >= MaxBackends ? nullptr : &places[number_of(MyProc)]; }

/// The segment's bytes; false: whoever made it has gone.
bool copy(dsm_handle handle, char *out, std::size_t size)
{
    return pg::call([=] {
        dsm_segment *const segment = dsm_attach(handle);
        if (segment == nullptr)
            return false;
        memcpy(out, dsm_segment_address(segment), size);
        dsm_detach(segment);
        return true;
    });
}

} // namespace

Verdict verdict(Verdict::Kind kind, int sqlstate, const std::string &message) noexcept
{
    Verdict made{kind, sqlstate, {}};
    strlcpy(made.message.data(), message.c_str(), made.message.size());
    return made;
}

void request_handovers() { RequestAddinShmemSpace(sizeof(Counters) + size_of_places()); }

void make_handovers()
{
    bool found = false;
    places = static_cast<Place *>(ShmemInitStruct("autosync handovers", size_of_places(), &found));
    if (!found)
        memset(static_cast<void *>(places), 0, size_of_places());
    counters = static_cast<Counters *>(ShmemInitStruct("autosync handed over", sizeof(Counters), &found));
    if (!found) {
        pg_atomic_init_u32(&counters->open, 0);
        counters->serial = 0;
    }
}

Handover::Handover(const std::string &target, std::uint64_t xid, std::string_view bytes)
{
    Place *const place = mine();
    if (place == nullptr)
        throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "nothing can be handed over to a worker", "autosync is not in shared_preload_libraries."};
    const char *const from = bytes.data();
    const std::size_t size = bytes.size();
    segment_ = pg::call([=] {
        dsm_segment *const made = dsm_create(size, 0);
        dsm_pin_mapping(made); // we detach it, on whatever way
        memcpy(dsm_segment_address(made), from, size);
        return made;
    });
    {
        const Locked lock{LW_EXCLUSIVE};
        place->serial = ++counters->serial;
        place->xid = xid;
        strlcpy(place->target, target.c_str(), NAMEDATALEN);
        place->segment = dsm_segment_handle(segment_);
        place->size = size;
        place->latch = MyLatch;
        place->taker = 0;
        place->verdict = {};
        place->database = MyDatabaseId;
    }
    pg_atomic_fetch_add_u32(&counters->open, 1);
    wake(MyDatabaseId);
}

Handover::~Handover()
{
    bool taken = false;
    {
        const Locked lock{LW_EXCLUSIVE};
        taken = mine()->taker != 0;
        mine()->database = InvalidOid;
    }
    if (!taken)
        pg_atomic_fetch_sub_u32(&counters->open, 1);
    dsm_detach(segment_);
}

Verdict Handover::look() noexcept
{
    const Locked lock{LW_SHARED};
    return mine()->verdict;
}

Handover::Hands Handover::hands() noexcept
{
    const Locked lock{LW_SHARED};
    const auto taker = mine()->taker;
    const DatabaseSlot *const slot = slot_of(MyDatabaseId);
    return taker == 0 ? Hands::none : slot != nullptr && slot->worker == taker ? Hands::worker : Hands::lost;
}

std::vector<Offer> take_offers()
{
    if (counters == nullptr || pg_atomic_read_u32(&counters->open) == 0)
        return {};
    struct Found {
        Offer offer;
        dsm_handle segment;
        std::size_t size;
    };
    std::vector<Found> found;
    found.reserve(static_cast<std::size_t>(MaxBackends)); // no allocation of its own under the lock
    {
        const Locked lock{LW_EXCLUSIVE};
        for (int i = 0; i < MaxBackends; ++i) {
            Place &place = places[i];
            if (place.database != MyDatabaseId || place.taker != 0)
                continue;
            place.taker = MyProcPid;
            pg_atomic_fetch_sub_u32(&counters->open, 1);
            found.push_back({{i, place.serial, place.xid, place.target, {}}, place.segment, place.size});
        }
    }
    std::vector<Offer> offers;
    for (auto &[offer, segment, size] : found) {
        offer.bytes.resize(size);
        if (copy(segment, offer.bytes.data(), size))
            offers.push_back(std::move(offer));
    }
    return offers;
}

void answer(const Offer &offer, const Verdict &verdict) noexcept
{
    const Locked lock{LW_EXCLUSIVE};
    Place &place = places[offer.place];
    if (place.database != MyDatabaseId || place.serial != offer.serial)
        return;
    place.verdict = verdict;
    SetLatch(place.latch);
}

} // namespace autosync::worker
