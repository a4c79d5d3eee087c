// Sessions of identities as they are stored, and what keeps them alive.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "atproto/context.hpp"
#include "config/target.hpp"
#include "http/client.hpp"
#include "outbox/waiting.hpp"
#include "worker/round.hpp"

namespace autosync::worker {

struct Sessions {
    std::map<std::string, atproto::Session> usable;
    std::map<std::string, std::string> unusable; ///< by DID: why; one that has neither has no session
    std::set<std::string> stale;                 ///< where their repositories are was found out a while ago
    std::map<std::string, std::pair<unsigned, std::chrono::seconds>> saved; ///< points left, and for how long, as written down last

    /// What keeps an identity from being written for; nullopt: nothing.
    [[nodiscard]] std::optional<std::string> problem(const std::string &did) const;
};

/// In a transaction. A session that is about to expire is noted as expired: it is renewed, and what needs it waits for that.
[[nodiscard]] Sessions load_sessions(std::int64_t instance, const std::string &target, const config::Target &declared, const std::set<std::string> &dids);
/// In a transaction: what an answer said of a session.
void note_setback(std::int64_t instance, const std::string &target, const std::string &did, atproto::Answer answer,
                  const std::string &reason);

/// In a transaction: what the next requests for these identities need, also after a restart.
void note_use(std::int64_t instance, const std::string &target, const atproto::Context &context);
/// Of the server, else `fallback`.
[[nodiscard]] std::string option(const config::Target &declared, const char *name, const char *fallback);
[[nodiscard]] std::string over_text(const std::string &did);

[[nodiscard]] outbox::Waiting wait_for(const Item &item, outbox::Waiting waiting);
/// The tables whose syncs ask for notifications, as an array of oids.
[[nodiscard]] std::string telling(const std::vector<std::shared_ptr<Declared>> &declared);
[[nodiscard]] outbox::Patience patience_of(const config::Target &declared);

/// Renews sessions, and follows accounts that move. A refresh token works once: there is one worker per database, what it got is written down before it is used, and an
/// answer that comes after somebody has signed in anew is dropped.
class Keeper final {
public:
    Keeper(std::int64_t instance, std::string target, http::Client &client) : instance_{instance}, target_{std::move(target)}, client_{client} {}

    /// Asks for what is due, if `anything` waits; when to come again.
    [[nodiscard]] std::chrono::milliseconds turn(std::chrono::steady_clock::time_point now, const config::Target &declared, bool anything,
                                                 const std::vector<std::shared_ptr<Declared>> &syncs);
    /// False: not one of its tickets.
    [[nodiscard]] bool answer(http::Client::Ticket ticket, const http::Response &response);
    /// Where are they by now? An answer from there has left it in doubt, or it is long since somebody asked.
    void look_up(const std::set<std::string> &dids);
    void hurry() { look_at_ = {}; } ///< there may be something to do

private:
    struct Renewal {
        std::string did;
        std::string refresh; ///< the token that was sent
        http::Request request;
        std::shared_ptr<const atproto::ProofKey> key; ///< of an OAuth session
        std::string nonce;
        bool repeated = false;
    };
    void ask(Renewal renewal);
    void settle(const Renewal &renewal, const http::Response &response);
    void look_up_wanted(std::chrono::steady_clock::time_point now, const std::string &directory);
    void settle(const std::string &did, const http::Response &response);
    [[nodiscard]] http::Access access_of(const Renewal &renewal) const;

    std::int64_t instance_;
    std::string target_;
    http::Client &client_;
    http::Access access_;
    http::Limits limits_;
    std::map<http::Client::Ticket, Renewal> asked_;
    std::map<http::Client::Ticket, std::string> lookups_; ///< by DID
    std::set<std::string> wanted_;
    std::map<std::string, std::chrono::steady_clock::time_point> looked_up_;
    std::chrono::steady_clock::time_point look_at_{};
};

} // namespace autosync::worker
