#include "worker/intend.hpp"

#include <algorithm>
#include <stdexcept>

#include "atproto/tid.hpp"
#include "targets/atproto_mapping.hpp"

namespace autosync::worker {

using atproto::Address;
using atproto::Intent;
using atproto::There;
namespace kind = targets::atproto;

namespace {

/// Rises within this process, and from one worker to the next with the clock.
std::string next_tid()
{
    static std::int64_t last = 0;
    static const unsigned clock = static_cast<unsigned>(MyProcPid) & 1'023U;
    constexpr std::int64_t epoch = 946'684'800'000'000; // 2000-01-01 in microseconds since 1970
    last = std::max(last + 1, static_cast<std::int64_t>(GetCurrentTimestamp()) + epoch);
    return atproto::tid(last, clock);
}

Intent begin_with(const Situation &of, bool yields)
{
    Intent intent;
    intent.yields = yields;
    if (of.known == nullptr)
        return intent;
    const auto &known = *of.known;
    intent.at = known.at;
    intent.former = known.former;
    intent.there = of.forced || !known.confirmed ? There::unknown : known.cid.empty() ? There::no : There::yes;
    intent.existed = known.kept || !known.cid.empty();
    if (!known.kept && !known.cid.empty())
        intent.ours.push_back(known.cid);
    std::ranges::copy_if(known.sent, std::back_inserter(intent.ours), [&](const auto &cid) { return cid != known.cid; });
    intent.refs = known.refs;
    return intent;
}

void go_to(Intent &intent, const Address &at, const Known *known)
{
    if (known == nullptr) {
        intent.there = There::no;
    } else if (at != known->at) {
        std::erase(intent.former, at);
        if (!known->kept || !intent.yields) // what somebody else has made of it stays where it is
            intent.former.push_back(known->at);
        intent.there = There::unknown;
        intent.existed = false;
        intent.ours.clear();
    }
    intent.at = at;
}

void attach(Intent &intent, kind::Surroundings &around, const Known *known)
{
    for (auto &[blob, place] : around.blobs) {
        const bool here = known != nullptr && known->at.did == intent.at.did && known->blobs.contains(blob.cid);
        if (here)
            blob.type = known->blobs.at(blob.cid);
        blob.there = here && known->confirmed;
        intent.blobs.push_back(blob);
    }
}

} // namespace

Decision intend(const Situation &of)
{
    const auto &change = of.flight.changes[of.change];
    const auto &mapping = static_cast<const kind::Compiled &>(*of.flight.mappings[change.source]);
    const auto *const known = of.known;
    const bool yields = mapping.yields && !of.dismissed;
    auto intent = begin_with(of, yields);
    try {
        const auto did = change.removed ? std::string{} : of.owner.empty() ? kind::did_of(mapping, change) : of.owner;
        if (did.empty() || !kind::has_record(mapping, change)) {
            if (known == nullptr)
                return {};
            intent.kept = yields && known->kept;
            return {std::move(intent), std::nullopt};
        }
        if (known != nullptr && known->kept && mapping.yields && !of.forced && known->at.did == did)
            return {};
        auto rkey = kind::rkey_of(mapping, change);
        if (rkey.empty())
            rkey = known != nullptr && atproto::is_tid(known->at.rkey) ? known->at.rkey : next_tid();
        go_to(intent, {did, mapping.collection, rkey}, known);
        auto referred = of.references.of(of.change, known);
        if (referred.missing) {
            outbox::Waiting waiting;
            waiting.did = did;
            waiting.message = std::move(referred.message);
            waiting.parent = referred.missing;
            return {std::nullopt, std::move(waiting)};
        }
        intent.refs = std::move(referred.noted);
        kind::Surroundings around{known == nullptr ? of.now : known->created_at, kind::blobs_of(mapping, change), std::move(referred.values)};
        attach(intent, around, known);
        auto record = kind::record_of(mapping, *of.flight.sources[change.source], change, around);
        intent.record = std::move(record.json);
        intent.cid = std::move(record.cid);
        const bool same = !of.forced && known != nullptr && known->confirmed && known->at == intent.at && known->cid == intent.cid && intent.former.empty();
        if (same)
            return {};
    } catch (const std::invalid_argument &problem) {
        intent.problem = problem.what();
    }
    return {std::move(intent), std::nullopt};
}

} // namespace autosync::worker
