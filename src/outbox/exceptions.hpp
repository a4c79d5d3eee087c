// Entities in trouble, or marked by hand: one row per entity and target. All need a transaction.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "outbox/ended.hpp"
#include "pg/postgres.hpp"

namespace autosync::outbox {

/// One whose time has come.
struct Due {
    Oid source = InvalidOid;
    std::string key;
    std::string event_id;
    std::string operation;
    std::string verb; ///< 'publish', 'unpublish', 'confirm', or empty
    int attempts = 0;
    std::string payload{}; ///< that its event carried
    std::string correlation_id{};
    std::string origin{};
    std::int64_t captured_at = 0; ///< in microseconds since 2000
};
[[nodiscard]] std::vector<Due> take_due(std::int64_t instance, const std::string &target, std::size_t limit);

/// A change that the target refused, or that could not be read.
struct Refusal {
    Oid source = InvalidOid;
    std::string key;
    std::string event_id;
    std::string operation;
    std::string message;
    std::string request; ///< shortened, without secrets
    std::string answer;
    int attempts = 1;    ///< including this one
    bool given_up = false;
    std::chrono::milliseconds delay{0}; ///< until the next attempt
    std::int64_t captured_at = 0;       ///< in microseconds since 2000; 0: no event stands behind it
    std::string payload{};              ///< that the event carried
    std::string correlation_id{};
    std::string origin{};
};
/// Those of tables that are returned have not all been noted: another transaction is deciding on a row of them, and is not waited for.
[[nodiscard]] std::set<Oid> note_refusals(std::int64_t instance, const std::string &target, const std::vector<Refusal> &refusals, const std::string &telling);

/// An entity whose state the target has by now.
struct Arrived {
    Oid source = InvalidOid;
    std::string key;
    std::string event_id;         ///< what it was read for
    std::int64_t captured_at = 0; ///< when that was captured, in microseconds since 2000; 0: it is no event
    std::optional<std::int64_t> version{}; ///< of what was sent, if anything was
    bool inserted = false;                 ///< it was read for its insertion
};
/// They are in trouble no more. Marks made by hand that were not what has arrived stay, unless the event came after them. A row that
/// another transaction is deciding on stays as well: what that decides is done next.
/// Those that are returned were events, and are over.
std::vector<Ended> clear_exceptions(std::int64_t instance, const std::string &target, const std::vector<Arrived> &entities);
/// A request that may be applied yet: it could overwrite what comes after it, so the entity is delivered once more when it no longer can.
/// Its mark has the verb 'confirm', and goes only when that has happened. What a user marked by hand stays that.
struct Doubt {
    Oid source = InvalidOid;
    std::string key;
    std::string operation; ///< 'delete' when the absence of the row removes
    bool open = false;     ///< not delivered, and nothing but its mark tells of it
};
/// As above: those of tables that are returned have not all been noted.
[[nodiscard]] std::set<Oid> note_doubts(std::int64_t instance, const std::string &target, const std::vector<Doubt> &doubts, std::chrono::milliseconds delay);
/// A change that is given up because it is too old.
struct Expired {
    Oid source = InvalidOid;
    std::string key;
    std::string event_id;
    std::string operation;
    std::int64_t captured_at = 0; ///< in microseconds since 2000
    std::string payload{};        ///< that the event carried
    std::string correlation_id{};
    std::string origin{};
};
/// As above: those of tables that are returned have not all been noted. What else is known of the entity, a dead letter or a mark, stays.
[[nodiscard]] std::set<Oid> note_expired(std::int64_t instance, const std::string &target, const std::vector<Expired> &changes);
/// Gives up what waits for another attempt, or was marked by hand, since longer than `ttl`; the keys.
[[nodiscard]] std::vector<std::string> expire_marks(std::int64_t instance, const std::string &target, Oid source, std::chrono::milliseconds ttl);
/// To be tried later, without counting an attempt.
void postpone(std::int64_t instance, const std::string &target, Oid source, std::chrono::milliseconds delay);
/// All rows of the table have been taken away: what was refused of them is tried again, and is over where the row is still gone. What another
/// transaction is deciding on stays as it is.
void retry_refused(std::int64_t instance, const std::string &target, Oid source);
/// What was noted by a clock that has been set back since, by more than `noticeable`, is tried now; whether there was any. In a transaction of its own.
[[nodiscard]] bool hurry_what_lies_ahead(std::int64_t instance, std::chrono::milliseconds noticeable);

} // namespace autosync::outbox
