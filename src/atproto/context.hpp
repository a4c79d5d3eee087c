// What the worker knows of the changes of one round: whose records they are, where these are by now, and with which sessions they are written.
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "atproto/answer.hpp"
#include "atproto/blob.hpp"
#include "atproto/budget.hpp"
#include "atproto/dpop.hpp"
#include "http/message.hpp"
#include "targets/target.hpp"

namespace autosync::atproto {

struct Address {
    std::string did;
    std::string collection;
    std::string rkey;

    [[nodiscard]] std::string uri() const { return "at://" + did + "/" + collection + "/" + rkey; }
    [[nodiscard]] bool empty() const { return did.empty(); }
    friend bool operator==(const Address &, const Address &) = default;
    friend auto operator<=>(const Address &, const Address &) = default;
};

/// Is there a record at an address?
enum class There : unsigned char { no, yes, unknown };

/// What one change asks of repositories.
struct Intent {
    Address at;                  ///< empty: nothing is to be where `former` were
    std::string record;          ///< JSON; empty: to be removed
    std::string cid;             ///< of `record`
    There there = There::unknown;
    std::vector<Address> former; ///< where it was before: to be removed
    std::vector<Blob> blobs;     ///< that the record refers to
    std::string refs;            ///< JSON: its strong references, for the map
    std::string problem;         ///< why it cannot be sent
    std::string confirmed;       ///< the CID by which the repository knows it; filled by the answer
    // Of a sync whose target wins: what somebody else has made of the record stays.
    bool yields = false;
    bool existed = false;          ///< the repository had it once: its absence is somebody's work
    std::vector<std::string> ours; ///< CIDs that may be found there through us, the one last confirmed first
    bool kept = false;             ///< what is found is somebody else's, `confirmed` its CID (empty: it was removed); filled by the answer

    [[nodiscard]] bool removes() const { return record.empty(); }
    [[nodiscard]] bool leaves_nothing() const { return removes() || (kept && confirmed.empty()); } ///< once it is delivered
    [[nodiscard]] bool is_ours(const std::string &found) const { return found == cid || std::ranges::find(ours, found) != ours.end(); }
    /// Nothing has to be uploaded, asked or compared for it alone.
    [[nodiscard]] bool ready_for_batches() const
    {
        return std::ranges::all_of(blobs, &Blob::there) && (!yields || there == There::no);
    }
    [[nodiscard]] unsigned points() const
    {
        const unsigned own = at.empty() ? 0 : removes() ? delete_points : there == There::yes ? update_points : create_points;
        return own + static_cast<unsigned>(former.size()) * delete_points;
    }
};

/// The server takes the blob for something else: the record says so too.
void retype_blob(Intent &intent, const Blob &blob);

struct Session {
    std::string did;
    std::string pds;
    bool own_server = false; ///< not the one that the target names: its trouble is not the target's
    std::shared_ptr<const http::Access> access; ///< with the access token
    std::shared_ptr<const ProofKey> key; ///< of an OAuth session
    std::string nonce;                   ///< the PDS's last one

    /// Gives the request what it is to be sent with.
    void authorise(http::Request &request) const;
};

class Context final : public targets::Context {
public:
    std::vector<Intent> intents;                     ///< one per change of the batch
    std::map<std::string, Session> sessions;         ///< by DID
    std::map<std::string, Budget> *budgets = nullptr; ///< by DID; of the worker
    std::map<std::string, Answer> setbacks;          ///< by DID: expired or revoked
    std::map<std::string, std::string> reasons;      ///< of setbacks, as the server put them
    std::set<std::string> doubtful;                  ///< DIDs whose server is to be looked up again

    [[nodiscard]] Session &session(const std::string &did) { return sessions.at(did); }
    /// Keeps what an answer says of the identity as a whole: its session, its rate limit, the server's nonce.
    void note(const std::string &did, const Reading &reading, const http::Response &response, unsigned points);
};

} // namespace autosync::atproto
