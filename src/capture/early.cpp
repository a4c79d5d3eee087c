#include "capture/early.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "capture/arrival.hpp"
#include "config/settings.hpp"
#include "config/sync.hpp"
#include "pg/spi.hpp"
#include "worker/early_rows.hpp"
#include "worker/handover.hpp"
#include "worker/shared.hpp"

namespace autosync::capture {

namespace {

using worker::Verdict;

constexpr std::size_t most_keys = 1'000;     ///< of one transaction
constexpr std::size_t most_bytes = 8U << 20; ///< of their rows

struct Wish {
    std::string target;
    std::vector<Oid> tables;
    bool truncated = false;
};
std::vector<Wish> *wishes = nullptr; // of the current transaction; never destroyed
bool sent = false;

using Tables = std::map<Oid, std::vector<worker::EarlyKey>>;

/// Each entity once.
void add(std::vector<worker::EarlyKey> &keys, const outbox::Event &event)
{
    const auto known = std::ranges::find(keys, event.key, &worker::EarlyKey::columns);
    if (known == keys.end()) {
        keys.push_back({event.key, event.operation, event.rekeyed});
        return;
    }
    known->operation = event.operation;
    known->rekeyed = known->rekeyed || event.rekeyed;
}

/// What is to be sent to the target; nullopt: more than is handed over.
std::optional<Tables> gather(const Buffer &changes, const Wish &wish)
{
    Tables tables;
    std::size_t count = 0;
    bool told = false; // of events, which are told in their order: not before those of earlier transactions
    changes.copy(0, [&](const std::string &bytes) {
        const auto chunk = outbox::read_chunk(bytes);
        for (const auto &event : chunk.events) {
            const auto &topic = chunk.topics[event.topic];
            if (std::ranges::count(topic.targets, wish.target) == 0 || std::ranges::count(wish.tables, topic.table) == 0 || ++count > most_keys)
                continue;
            told = told || outbox::is_history(topic.carries);
            add(tables[topic.table], event);
        }
    });
    return told || count > most_keys ? std::nullopt : std::optional{std::move(tables)};
}

/// The rows as the transaction leaves them, read with the rights of their tables' owners; nullopt: they cannot be read as a whole.
std::optional<std::string> pack(const std::string &target, const Tables &tables)
{
    pg::call([] { CommandCounterIncrement(); });
    const pg::ActiveSnapshot snapshot;
    std::string bytes;
    for (const auto &[table, keys] : tables) {
        const auto sync = config::load_sync(table, target);
        if (!sync || !sync->problem.empty() || !worker::pack_early(*sync, keys, most_bytes, bytes))
            return std::nullopt;
    }
    return bytes;
}

/// An interrupt here ends the statement, as it does before every commit.
Verdict wait_for_verdict(worker::Handover &handover)
{
    constexpr long nap = 200; // milliseconds; the worker sets the latch
    using Hands = worker::Handover::Hands;
    const auto began = GetCurrentTimestamp();
    const TimestampTz end = StatementTimeout > 0 ? TimestampTzPlusMilliseconds(GetCurrentStatementStartTimestamp(), StatementTimeout) : 0;
    for (;;) {
        pg::call([] {
            ResetLatch(MyLatch);
            CHECK_FOR_INTERRUPTS();
        });
        if (const auto verdict = handover.look(); verdict.kind != Verdict::Kind::none)
            return verdict;
        const auto now = GetCurrentTimestamp();
        if (end != 0 && now >= end) // the server has disarmed its own timer by now
            throw pg::Failure{ERRCODE_QUERY_CANCELED, "canceling statement due to statement timeout", "It was waiting for a delivery before the commit."};
        const auto hands = handover.hands();
        if (hands == Hands::lost)
            return worker::verdict(Verdict::Kind::failed, ERRCODE_CONNECTION_FAILURE, "the worker that had it has ended");
        if (hands == Hands::none && now - began >= std::int64_t{config::settings.connect_timeout} * 1'000)
            return worker::verdict(Verdict::Kind::failed, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "no worker has taken it up");
        const long left = end == 0 ? nap : std::clamp<long>(static_cast<long>((end - now) / 1'000) + 1, 1, nap);
        pg::call([left] { (void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, left, PG_WAIT_EXTENSION); });
    }
}

Verdict hand_over(const Buffer &changes, const Wish &wish)
{
    const auto declined = worker::verdict(Verdict::Kind::declined, 0, "");
    const auto tables = gather(changes, wish);
    if (!tables)
        return declined;
    if (tables->empty()) // all of it was rolled back to a savepoint
        return worker::verdict(Verdict::Kind::delivered, 0, "");
    const auto bytes = pack(wish.target, *tables);
    if (!bytes)
        return declined;
    sent = true;
    worker::Handover handover{wish.target, U64FromFullTransactionId(GetTopFullTransactionIdIfAny()), *bytes};
    return wait_for_verdict(handover);
}

void failed(const std::string &target, int sqlstate, const std::string &why)
{
    const std::string message = "could not deliver to target \"" + target + "\" before the commit: " + why;
    if (!config::settings.fail_silently)
        throw pg::Failure{sqlstate, message, "The transaction is rolled back, as autosync.fail_silently is off.",
                          "Whatever the target has got of it is replaced by what is in the database."};
    pg::report(WARNING, sqlstate, message, "The change is delivered after the commit, as others are.");
}

} // namespace

void send_early(const std::string &target, Oid table, bool truncated)
{
    if (wishes == nullptr)
        wishes = new std::vector<Wish>; // NOLINT: lives as long as the session
    auto found = std::ranges::find(*wishes, target, &Wish::target);
    if (found == wishes->end())
        found = wishes->insert(found, Wish{target, {}, false});
    found->truncated = found->truncated || truncated;
    if (std::ranges::count(found->tables, table) == 0)
        found->tables.push_back(table);
}

void deliver_early(const Buffer &changes, bool complete)
{
    if (wishes == nullptr || wishes->empty())
        return;
    for (const auto &wish : *wishes) {
        if (!worker::shared_memory_available()) {
            failed(wish.target, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "autosync is not in shared_preload_libraries");
            continue;
        }
        const auto verdict = complete && !wish.truncated ? hand_over(changes, wish) : worker::verdict(Verdict::Kind::declined, 0, "");
        if (verdict.kind == Verdict::Kind::declined)
            for (const Oid table : wish.tables)
                await_arrival(wish.target, table, wish.truncated);
        else if (verdict.kind == Verdict::Kind::failed)
            failed(wish.target, verdict.sqlstate, verdict.message.data());
    }
}

bool sent_early() noexcept { return sent; }

void forget_early() noexcept
{
    sent = false;
    if (wishes != nullptr)
        wishes->clear();
}

} // namespace autosync::capture
