#include "worker/early.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "outbox/early.hpp"
#include "pg/spi.hpp"
#include "worker/collector.hpp"
#include "worker/early_rows.hpp"

namespace autosync::worker {

namespace {

using Kind = Verdict::Kind;
using State = delivery::Result::State;

enum class Fate : std::uint8_t { open, committed, aborted };

Fate fate_of(std::uint64_t xid)
{
    const auto id = XidFromFullTransactionId(FullTransactionIdFromU64(xid));
    return pg::call([id] { // in this order: it leaves the list of those in progress after its end is written down
        return TransactionIdIsInProgress(id) ? Fate::open : TransactionIdDidCommit(id) ? Fate::committed : Fate::aborted;
    });
}

Verdict verdict_on(const Flight &flight)
{
    const auto &results = flight.delivery->results();
    for (const auto &result : results)
        if (result.state == State::refused)
            return verdict(Kind::failed, ERRCODE_FDW_ERROR, result.message);
    if (const auto &trouble = flight.delivery->trouble())
        return verdict(Kind::failed, sqlstate_of(trouble->outcome, flight.timed_out), trouble->message);
    for (const auto &result : results)
        if (result.state != State::delivered)
            return verdict(Kind::failed, result.state == State::waiting ? ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION : ERRCODE_CONNECTION_FAILURE, result.message);
    return verdict(Kind::delivered, 0, "");
}

/// Why rows that somebody else has read cannot be sent as this target's rounds would; empty: they can.
bool fits(const Declared *declared, const Destination &destination, const EarlyTable &table)
{
    if (declared == nullptr)
        return false;
    const auto capture = declared->sync.options.find("capture");
    if (capture != declared->sync.options.end() && capture->second == "row") // whose events are delivered one by one
        return false;
    return declared->obstacle().empty() && declared->mapping != nullptr && declared->budget.problem().empty() &&
           !destination.forgotten.contains(table.table) && print_of(declared->sync) == table.print;
}

Item item_of(const EarlyTable &table, EarlyRow &row, const std::string &mark)
{
    Item item;
    item.table = table.table;
    item.wanted = std::move(row.wanted);
    item.event_id = mark;
    item.operation = name_of(row.operation);
    item.rekeyed = row.rekeyed;
    return item;
}

} // namespace

int sqlstate_of(targets::Outcome outcome, bool timed_out)
{
    using targets::Outcome;
    switch (outcome) {
    case Outcome::throttled:
        return ERRCODE_CONFIGURATION_LIMIT_EXCEEDED;
    case Outcome::unauthorized:
        return ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION;
    case Outcome::unknown:
        return timed_out ? ERRCODE_QUERY_CANCELED : ERRCODE_CONNECTION_FAILURE;
    default:
        return timed_out ? ERRCODE_QUERY_CANCELED : ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION;
    }
}

EarlySends::~EarlySends()
{
    if (flying_)
        waiting_.push_back(*flying_);
    refuse(ERRCODE_CONNECTION_FAILURE, "the worker had to begin anew");
}

void EarlySends::refuse(int sqlstate, const std::string &why)
{
    for (const auto &offer : waiting_)
        answer(offer, verdict(Kind::failed, sqlstate, why));
    waiting_.clear();
}

std::unique_ptr<Flight> EarlySends::load(const Offer &offer, const Destination &destination, Lanes &lanes, Verdict &verdict) const
{
    verdict = worker::verdict(Kind::declined, 0, "");
    auto flight = std::make_unique<Flight>();
    const auto own = outbox::early_mark(offer.xid);
    for (auto &table : unpack_early(offer.bytes)) {
        const auto declared = destination.find(table.table);
        if (!fits(declared.get(), destination, table))
            return nullptr;
        const auto &access = destination.access.at(declared->sync.owner);
        if (access.kind->capabilities().mapped) // its map of rows and records knows committed rows only
            return nullptr;
        if (!flight->declared.empty() && (flight->declared.front()->sync.owner != declared->sync.owner || flight->lane != declared->lane))
            return nullptr;
        if (flight->target.kind == nullptr)
            enter(*flight, *declared, destination, lanes);
        for (auto &row : table.rows) {
            if (!row.row.problem.empty()) {
                verdict = worker::verdict(Kind::failed, ERRCODE_FDW_ERROR, row.row.problem);
                return nullptr;
            }
            auto item = item_of(table, row, own);
            if (!nothing_to_send(*declared, item, row.row, false))
                board(*flight, declared, std::move(item), std::move(row.row));
        }
    }
    return flight;
}

/// In a transaction of its own, on disk before anything is sent.
bool EarlySends::mark(const Offer &offer, const Flight &flight) const
{
    std::vector<outbox::Early> entities;
    for (const auto &item : flight.items)
        entities.push_back({item.table, item.wanted.key, item.operation == name_of(Operation::insert)});
    try {
        pg::transaction([&] {
            const pg::ActiveSnapshot snapshot;
            if (!outbox::note_early(instance_, target_, outbox::early_mark(offer.xid), entities))
                throw std::runtime_error{"some are in trouble"};
        });
        return true;
    } catch (const pg::Error &error) {
        if (error.sqlstate() != ERRCODE_LOCK_NOT_AVAILABLE) // the session itself, perhaps, has the row
            throw;
    } catch (const std::runtime_error &) {
    }
    return false;
}

std::unique_ptr<Flight> EarlySends::next(const Destination &destination, Lanes &lanes)
{
    while (!waiting_.empty()) {
        flying_ = std::move(waiting_.front()); // if something raises, the session hears of it
        waiting_.pop_front();
        Verdict verdict;
        auto flight = load(*flying_, destination, lanes, verdict);
        if (flight != nullptr && flight->changes.empty())
            verdict = worker::verdict(Kind::delivered, 0, "");
        else if (flight != nullptr && mark(*flying_, *flight)) {
            open_.push_back({flying_->xid, outbox::early_mark(flying_->xid)});
            return flight;
        }
        answer(*flying_, verdict);
        flying_.reset();
    }
    return nullptr;
}

void EarlySends::land(const Flight &flight)
{
    answer(*flying_, verdict_on(flight));
    flying_.reset();
}

bool EarlySends::follow_up()
{
    const bool first = std::exchange(first_, false);
    std::vector<std::pair<std::string, Fate>> ended;
    std::erase_if(open_, [&](const Open &open) {
        if (flying_ && flying_->xid == open.xid)
            return false;
        const auto fate = fate_of(open.xid);
        if (fate != Fate::open)
            ended.emplace_back(open.mark, fate);
        return fate != Fate::open;
    });
    if (!first && ended.empty())
        return false;
    bool due = false;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        if (first)
            due = outbox::hasten_early(instance_, target_, "");
        for (const auto &[mark, fate] : ended) {
            if (fate == Fate::committed)
                outbox::drop_early(instance_, target_, mark);
            else
                due = outbox::hasten_early(instance_, target_, mark) || due;
        }
    });
    return due;
}

} // namespace autosync::worker
