// Entities that wait for something of their own: a session of their identity, its next hour. All need a transaction.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "outbox/exceptions.hpp"
#include "pg/postgres.hpp"

namespace autosync::outbox {

struct Waiting {
    Oid source = InvalidOid;
    std::string key;
    std::string event_id;
    std::string operation;
    std::string message;
    std::string did;
    bool authentication = false;        ///< for a session, else for `delay` to pass, or for `parent`
    std::optional<std::pair<Oid, std::string>> parent; ///< the row whose record has to be there first, as long as one waits for a session
    std::chrono::milliseconds delay{0};
};

/// How long, and how often, one waits for a session.
struct Patience {
    bool kept = true; ///< false: it fails at once
    std::chrono::milliseconds time{3'600'000};
    int attempts = 3;
};

/// `telling`, here and below: the tables whose syncs ask for notifications, as an array of oids.
void note_waiting(std::int64_t instance, const std::string &target, const std::vector<Waiting> &entities, const Patience &patience, const std::string &telling);
/// Of these, which have arrived, some may have waited for a session: that is told.
void tell_retried(std::int64_t instance, const std::string &target, const std::vector<Arrived> &entities, const std::string &telling);
/// The identity has a session: what waits for it is due.
void end_waiting(std::int64_t instance, const std::string &target, const std::string &did);
/// Its repository has been found elsewhere: what waits for a server that is out of reach is due.
void hasten(std::int64_t instance, const std::string &target, const std::string &did);
/// What waits for a session of this identity, which has one, and is of tables of this role is due; how many.
std::int64_t retry_waiting(std::int64_t instance, Oid role, const std::string &did);
/// Likewise for all that have one: a session may have come just before its change began to wait.
void wake_waiting(std::int64_t instance, const std::string &target);
/// The identity has lost its session: that is what its changes wait for.
void explain_waiting(std::int64_t instance, const std::string &target, const std::string &did, const std::string &why);
/// What has waited for too long is given up.
void expire_waiting(std::int64_t instance, const std::string &target, const std::string &telling);

} // namespace autosync::outbox
