// What a kind of target is: a description and pure functions from changes to requests and from answers to outcomes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "embed/cache.hpp"
#include "embed/embedder.hpp"
#include "http/message.hpp"
#include "mapping/source.hpp"

namespace autosync::targets {

/// How a delivery ended. Nothing else.
enum class Outcome : std::uint8_t {
    delivered,
    stale,        ///< the target holds a newer version: ours must rise above Verdict::newer_version and be sent again
    refused,      ///< the target rejects this change: counts an attempt
    throttled,    ///< come back later: the target as a whole backs off
    unauthorized, ///< credentials, missing database, read-only: the target as a whole is out
    unreachable,  ///< not applied; the target as a whole backs off
    conflict,
    unauthenticated, ///< the identity that these changes belong to has no session that works: they alone wait for one
    deferred,        ///< these changes alone are to come back later, no attempt is counted
    unknown       ///< may or may not have been applied: treated as not delivered
};

/// The server a target lives on, as declared.
struct Server {
    std::string name;          ///< of the foreign server
    mapping::Options options;  ///< server options (no secrets)
    http::Access access;
    std::optional<embed::Embedder> embedder; ///< of kinds that turn texts into vectors
    std::shared_ptr<embed::Cache> vectors;   ///< what the embedder has answered lately; outlives deliveries, may be null

    /// How the server that a request is for is reached.
    [[nodiscard]] const http::Access &access_to(const http::Request &request) const
    {
        if (request.access)
            return *request.access;
        return request.peer == http::Peer::embedder && embedder ? embedder->access : access;
    }
};

/// One sync compiled for one kind of target: statements and names prepared once. Immutable.
class Mapping {
public:
    virtual ~Mapping() = default;
};

/// What a kind needs to know of the changes of one round beside their rows: whose they are, where they went before.
class Context {
public:
    virtual ~Context() = default;
};

/// Changes of one round on their way: `changes[i].source` indexes `mappings` and `sources`.
struct Batch {
    std::span<const mapping::Source *const> sources;
    std::span<const Mapping *const> mappings;
    std::span<const mapping::Change> changes;
    std::int64_t version = 0; ///< hybrid logical clock in µs, one per round; exact in a float64
    Context *context = nullptr; ///< of kinds that have one
};

/// What an answer means for the changes its request carried.
struct Verdict {
    Outcome outcome = Outcome::unknown;
    std::string message;                             ///< for last_error; no secrets, at most about 1,000 bytes
    bool halve = false;                              ///< too much at once (memory, time, size): split, and count no attempt while it can be split
    bool again = false;                              ///< transient at the target (deadlock): send the same request again soon, a bounded number of times
    std::optional<std::chrono::seconds> retry_after; ///< for throttled and deferred
    bool unprepared = false;                         ///< what prepare() has made is not there any more: make it again, and fill it
    std::int64_t newer_version = 0;                  ///< for stale
    std::optional<http::Request> follow_up;          ///< ask this first; its answer is interpreted in place of the first one's
    embed::Usage usage;                              ///< what this answer, of an embedder, has cost
};

/// A conversation of several requests: what is remembered from one answer to the next.
class Dialogue {
public:
    virtual ~Dialogue() = default;
    /// Takes the place of Target::interpret; never throws for what a server may answer. May refer to the batch it was planned for.
    [[nodiscard]] virtual Verdict hear(const http::Response &response) = 0;
};

struct Planned {
    http::Request request;
    std::vector<std::size_t> changes;   ///< indexes into Batch::changes that this request carries; none is carried twice
    std::shared_ptr<Dialogue> dialogue; ///< null: one request, one answer
};

/// One entity as a target holds it, beside what it is to hold: JSON objects; empty: nothing.
struct Held {
    Verdict problem; ///< Outcome::delivered: there is none
    std::string ours{};
    std::string theirs{};
};

struct Probe {
    Outcome outcome = Outcome::unknown;
    std::string version; ///< of the server
    std::string detail;  ///< what is wrong and what to do
};

struct Capabilities {
    bool embedded = false;            ///< requests are executed on this database's own tables, see targets/test
    std::size_t max_batch = 1000;     ///< changes per request
    std::size_t max_body = 16U << 20; ///< bytes per request
    unsigned max_in_flight = 4;       ///< what is safe to have under way at once
    bool guarded = true;              ///< the target itself shrugs off what is older than what it holds
    bool mapped = false;              ///< what it holds is known from a map in this database: it is not asked
};

/// A kind of target. Stateless: everything it knows comes in as arguments.
class Target {
public:
    virtual ~Target() = default;

    [[nodiscard]] virtual std::string_view kind() const = 0; ///< 'neo4j' for wrapper autosync_neo4j
    [[nodiscard]] virtual Capabilities capabilities() const = 0;
    /// What stays of an entity that was removed, as a receipt says it; empty: nothing.
    [[nodiscard]] virtual std::string_view remains() const { return {}; }

    /// Throws std::invalid_argument with a message for the user when the options make no sense for this source.
    [[nodiscard]] virtual std::unique_ptr<const Mapping> compile(const mapping::Source &source) const = 0;

    /// Idempotent statements to run once before a sync's first delivery (constraints, collections).
    [[nodiscard]] virtual std::vector<Planned> prepare(const Server &server, const mapping::Source &source, const Mapping &mapping) const = 0;

    /// Requests for the changes `which` (indexes into batch.changes): at most `max_changes` and about `max_body` bytes each,
    /// ordered so that parallel requests do not deadlock at the target.
    [[nodiscard]] virtual std::vector<Planned> plan(const Server &server, const Batch &batch, std::span<const std::size_t> which,
                                                    std::size_t max_changes) const = 0;
    /// What preview() shows for one change: by default what is planned. A kind whose first request only asks shows what it would write.
    [[nodiscard]] virtual std::vector<Planned> preview(const Server &server, const Batch &batch) const;
    /// For requests without a dialogue. Never throws for what a server may answer.
    [[nodiscard]] virtual Verdict interpret(const Server &server, const Planned &planned, const http::Response &response) const = 0;

    /// Is it there, and who is it?
    [[nodiscard]] virtual http::Request probe(const Server &server) const = 0;
    [[nodiscard]] virtual Probe read_probe(const http::Response &response) const = 0;

    /// Asks for what it holds of one entity, `change` as it is now. nullopt: a kind that is not asked for that over HTTP.
    /// Throws std::invalid_argument for a row that it could not hold.
    [[nodiscard]] virtual std::optional<http::Request> inspect(const Server &server, const mapping::Source &source, const Mapping &mapping,
                                                               const mapping::Change &change) const;
    [[nodiscard]] virtual Held read_held(const Server &server, const mapping::Source &source, const Mapping &mapping, const mapping::Change &change,
                                         const http::Response &response) const;

    /// The keys (live entities only) that the target holds from this source, after `after`, in key order, at most `limit`.
    [[nodiscard]] virtual http::Request enumerate(const Server &server, const mapping::Source &source, const Mapping &mapping, std::string_view after,
                                                  std::size_t limit) const = 0;
    /// nullopt: not an answer to enumerate (see interpret for why).
    [[nodiscard]] virtual std::optional<std::vector<std::string>> read_keys(const http::Response &response) const = 0;

    /// Removes up to `limit` things the target holds from this source, whatever their version; read_count tells how many went.
    [[nodiscard]] virtual http::Request purge(const Server &server, const mapping::Source &source, const Mapping &mapping, std::size_t limit) const = 0;
    /// Removes up to `limit` tombstones older than `age`; nullopt when the kind keeps none.
    [[nodiscard]] virtual std::optional<http::Request> collect(const Server &server, const mapping::Source &source, const Mapping &mapping,
                                                               std::chrono::seconds age, std::size_t limit) const = 0;
    [[nodiscard]] virtual std::optional<std::size_t> read_count(const http::Response &response) const = 0;

    /// What add_tables() and preview() tell the user: the label and relationships of a source, as JSON text
    /// {"label": "Customer", "relationships": [{"type": "PLACED", "direction": "out", "label": "Order", "columns": ["…"]}]}.
    [[nodiscard]] virtual std::string describe(const mapping::Source &source, const Mapping &mapping) const = 0;
};

/// What an answer to `planned` means, whether it belongs to a dialogue or not.
[[nodiscard]] Verdict read(const Target &target, const Server &server, const Planned &planned, const http::Response &response);

/// The kinds that exist; nullptr for an unknown one.
[[nodiscard]] const Target *find(std::string_view kind);
[[nodiscard]] std::span<const Target *const> all();

} // namespace autosync::targets
