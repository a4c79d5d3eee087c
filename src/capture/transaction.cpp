#include "capture/transaction.hpp"

#include "capture/arrival.hpp"
#include "capture/early.hpp"
#include "capture/wake.hpp"
#include "outbox/append.hpp"
#include "pg/bridge.hpp"
#include "pg/fault.hpp"
#include "worker/news.hpp"
#include "worker/shared.hpp"

namespace autosync::capture {

namespace {

constexpr std::size_t early_flush_bytes = 2U << 20;
constexpr std::size_t least_tail_bytes = 64U << 10;

Buffer *changes = nullptr; // per session; never destroyed
bool sealed = false;       // our pre-commit has run: whatever another module changes now is written at once
bool wrote = false;        // this transaction has rows in the log
bool wake = false;
bool declares = false;     // the worker must know of it first
bool rows = false;         // events of this transaction carry their rows
std::uint32_t serials = 0; // of this transaction that were given away

void flush(bool tail_only)
{
    if (changes == nullptr || changes->empty())
        return;
    wrote = true;
    wake = true;
    // Whoever changes the same row later does so when this transaction has committed, so its own seal is higher.
    const std::uint64_t seal = rows && !tail_only ? pg::call([] { return GetXLogInsertRecPtr(); }) : 0;
    changes->drain(
        tail_only, GetCurrentTimestamp(),
        [](const std::string &bytes) {
            outbox::append(bytes);
            AUTOSYNC_FAULT("in_flush");
        },
        seal);
}

/// All was written before there was a seal.
void write_trailer()
{
    outbox::ChunkWriter trailer;
    outbox::append(trailer.take(GetCurrentTimestamp(), pg::call([] { return GetXLogInsertRecPtr(); })));
}

void forget()
{
    if (changes != nullptr && (!changes->empty() || changes->epoch() != 0))
        changes->clear();
    sealed = false;
    wrote = false;
    wake = false;
    declares = false;
    rows = false;
    serials = 0;
    forget_awaited();
    forget_early();
    outbox::end_transaction();
}

void at_transaction(XactEvent event, void *)
{
    pg::guard([event] {
        switch (event) {
        case XACT_EVENT_PRE_COMMIT:
            if (changes != nullptr)
                deliver_early(*changes, !wrote);
            [[fallthrough]];
        case XACT_EVENT_PRE_PREPARE: // what commits later is not sent before
            if (rows && wrote && changes->empty())
                write_trailer();
            flush(false);
            sealed = true;
            if (declares)
                worker::announce();
            break;
        case XACT_EVENT_COMMIT:
            if (wake)
                worker::wake(MyDatabaseId);
            if (declares)
                AUTOSYNC_FAULT("after_declaring");
            if (wrote)
                begin_awaiting();
            forget();
            break;
        case XACT_EVENT_ABORT:
            if (sent_early())
                worker::wake(MyDatabaseId);
            [[fallthrough]];
        case XACT_EVENT_PREPARE: // COMMIT PREPARED wakes, from another session perhaps
            forget();
            break;
        default: // parallel workers capture nothing
            break;
        }
    });
}

void at_subtransaction(SubXactEvent event, SubTransactionId, SubTransactionId, void *)
{
    if (event == SUBXACT_EVENT_ABORT_SUB)
        outbox::abort_subtransaction();
    if (changes == nullptr) // an empty buffer has levels all the same, after an early flush
        return;
    pg::guard([event] {
        if (event == SUBXACT_EVENT_COMMIT_SUB)
            changes->commit_level(GetCurrentTransactionNestLevel());
        else if (event == SUBXACT_EVENT_ABORT_SUB)
            changes->abort_level(GetCurrentTransactionNestLevel());
    });
}

void register_callbacks()
{
    static bool registered = false;
    if (registered)
        return;
    pg::call([] {
        RegisterXactCallback(at_transaction, nullptr);
        RegisterSubXactCallback(at_subtransaction, nullptr);
    });
    registered = true;
}

} // namespace

Buffer &buffer()
{
    if (changes == nullptr) {
        register_callbacks();
        changes = new Buffer; // NOLINT: lives as long as the session
    }
    return *changes;
}

void noted()
{
    if (sealed)
        flush(false);
    else if (changes->bytes() > early_flush_bytes && changes->tail_bytes() > least_tail_bytes)
        flush(true); // outer levels stay: written by the inner one they would be rolled back with it
}

void noted_rows()
{
    rows = true;
    noted();
}

std::uint32_t next_serial() noexcept { return ++serials; }

bool has_written() noexcept { return wrote; }

bool has_pending() noexcept { return wrote || (changes != nullptr && !changes->empty()); }

void wake_at_commit()
{
    register_callbacks();
    wake = true;
}

void announce_at_commit()
{
    wake_at_commit();
    declares = true;
}

} // namespace autosync::capture
