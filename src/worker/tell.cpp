// Events that are told one by one: what is sent of each is made of the row that it carries.

#include <algorithm>
#include <iterator>
#include <set>

#include "outbox/forgotten.hpp"
#include "outbox/word.hpp"
#include "pg/datum.hpp"
#include "pg/spi.hpp"
#include "pg/wal.hpp"
#include "worker/round.hpp"

namespace autosync::worker {

namespace {

constexpr std::size_t byte_budget = 32U << 20;

class Teller final {
public:
    Teller(const Destination &destination, Round &round, Flight &flight) : destination_{destination}, round_{round}, flight_{flight} {}

    void tell(std::size_t limit)
    {
        choose(limit);
        flight_.outdated = Catalog::stale();
        if (flight_.outdated)
            return;
        const pg::ActiveSnapshot snapshot;
        rows_.resize(chosen_.size());
        std::set<Oid> tables;
        for (const auto &item : chosen_)
            tables.insert(item.table);
        for (const Oid table : tables)
            read(table);
        flight_.events = std::make_unique<targets::Events>();
        std::vector<Item> rest;
        for (std::size_t i = 0; i < chosen_.size(); ++i) {
            if (flight_.troubled.contains(chosen_[i].table))
                continue; // its table stays behind
            if (rows_[i])
                add(chosen_[i], *rows_[i]);
            else
                rest.push_back(std::move(chosen_[i]));
        }
        round_.items.insert(round_.items.begin(), std::make_move_iterator(rest.begin()), std::make_move_iterator(rest.end()));
    }

private:
    /// The next events: one of an entity, and none behind a TRUNCATE of its table or before it.
    void choose(std::size_t limit)
    {
        Oid owner = InvalidOid;
        std::deque<Item> rest;
        std::set<std::pair<Oid, std::string>> taken;
        std::set<Oid> touched;
        std::set<Oid> barred;
        for (auto &item : round_.items) {
            const auto declared = destination_.find(item.table);
            if (declared == nullptr)
                continue; // the sync was dropped meanwhile
            if (!declared->problem.empty()) {
                flight_.troubled[item.table] = declared->problem;
                continue;
            }
            const bool of_all = item.operation == "truncate";
            const bool now = chosen_.size() < limit && !barred.contains(item.table) && !(of_all && touched.contains(item.table)) &&
                             !taken.contains({item.table, item.wanted.key}) && (owner == InvalidOid || owner == declared->sync.owner);
            if (of_all)
                barred.insert(item.table);
            if (!now) {
                taken.emplace(item.table, item.wanted.key); // nor any that comes behind it
                rest.push_back(std::move(item));
                continue;
            }
            owner = declared->sync.owner;
            flight_.target = destination_.access.at(owner);
            taken.emplace(item.table, item.wanted.key);
            touched.insert(item.table);
            chosen_.push_back(std::move(item));
        }
        round_.items = std::move(rest);
    }

    void read(Oid table)
    {
        const auto declared = destination_.find(table);
        std::vector<std::size_t> carried;
        std::vector<const std::string *> payloads;
        std::vector<std::size_t> named;
        std::vector<Wanted> wanted;
        for (std::size_t i = 0; i < chosen_.size(); ++i) {
            const Item &item = chosen_[i];
            if (item.table != table)
                continue;
            if (item.operation == "truncate" || item.operation == outbox::word_operation) {
                rows_[i].emplace();
            } else if (!item.told->payload.empty()) {
                carried.push_back(i);
                payloads.push_back(&item.told->payload);
            } else if (item.operation == "delete") { // it was too large to be carried, and is no more
                rows_[i].emplace();
            } else {
                named.push_back(i);
                wanted.push_back(item.wanted);
            }
        }
        if (payloads.empty() && wanted.empty())
            return;
        const auto began = std::chrono::steady_clock::now();
        try {
            Reader &reader = reader_of(*declared, flight_.target);
            auto rows = reader.read_payloads(payloads, byte_budget);
            for (std::size_t i = 0; i < rows.size(); ++i)
                rows_[carried[i]] = std::move(rows[i]);
            std::size_t done = 0;
            rows = wanted.empty() ? std::vector<ReadRow>{} : reader.read_keys(wanted, byte_budget, &done);
            for (std::size_t i = 0; i < done; ++i)
                rows_[named[i]] = std::move(rows[i]);
        } catch (const SyncTrouble &trouble) {
            constexpr int share = 10; // others wait while a table is read
            flight_.troubled[table] = trouble.what();
            flight_.pause[table] = std::chrono::duration_cast<std::chrono::milliseconds>(share * (std::chrono::steady_clock::now() - began));
        }
    }

    void add(Item &item, ReadRow &row)
    {
        const auto declared = destination_.find(item.table);
        if (!row.problem.empty()) {
            flight_.refusals.push_back(refusal(item, std::move(row.problem)));
            return;
        }
        const bool deletion = item.operation == "delete";
        const auto kept = declared->sync.options.find("on_delete");
        const bool keeps = deletion && !item.rekeyed && kept != declared->sync.options.end() && kept->second != "remove";
        if (row.filtered || keeps || (row.deleted && row.skip) || forgotten(item)) {
            note_done(flight_, item, false, {});
            return;
        }
        mapping::Change change;
        targets::Event event;
        event.id = item.event_id;
        event.operation = row.deleted ? "delete" : item.operation;
        event.correlation_id = item.told->correlation_id;
        event.unclear = item.told->unclear;
        try {
            if (item.operation == outbox::word_operation) {
                auto word = outbox::read_word(item.told->payload);
                change.key = std::move(word.entity_id);
                event.type = std::move(word.event_type);
                event.entity_type = std::move(word.entity_type);
                event.payload = std::move(word.payload);
                item.version = word.version;
            } else {
                change.key = pg::to_utf8(item.wanted.key, declared->key_parts.front().name);
                event.entity_type = config::entity_type(declared->sync);
                event.type = type_of(declared->sync, event);
                item.version = row.version;
            }
        } catch (const std::runtime_error &reason) {
            flight_.refusals.push_back(refusal(item, reason.what()));
            return;
        }
        change.source = index_of(declared);
        change.removed = deletion || row.deleted;
        change.row = std::move(row.change.row);
        flight_.events->of_changes.push_back(std::move(event));
        flight_.changes.push_back(std::move(change));
        flight_.items.push_back(std::move(item));
    }

    /// How events of one sync are called, by operation.
    const std::string &type_of(const config::Sync &sync, const targets::Event &event)
    {
        auto &type = types_[{sync.table, event.operation}];
        if (type.empty())
            type = pg::execute_one("SELECT autosync.event_type($1, $2, $3::bool)", {event.entity_type, event.operation, sync.source.join_table ? "t" : "f"}).value_or("");
        return type;
    }

    [[nodiscard]] bool forgotten(const Item &item) const
    {
        return destination_.forgotten.contains(item.table) && !outbox::forgotten_among(destination_.name, item.table, {item.wanted.key}).empty();
    }

    std::size_t index_of(const std::shared_ptr<Declared> &declared)
    {
        const auto known = std::ranges::find(flight_.declared, declared);
        if (known != flight_.declared.end())
            return static_cast<std::size_t>(known - flight_.declared.begin());
        flight_.declared.push_back(declared);
        flight_.sources.push_back(&declared->sync.source);
        flight_.mappings.push_back(declared->mapping.get());
        return flight_.declared.size() - 1;
    }

    const Destination &destination_;
    Round &round_;
    Flight &flight_;
    std::vector<Item> chosen_;
    std::vector<std::optional<ReadRow>> rows_; ///< of these
    std::map<std::pair<Oid, std::string>, std::string> types_;
};

} // namespace

std::unique_ptr<Flight> read_history(const Destination &destination, Round &round, std::size_t limit)
{
    auto flight = std::make_unique<Flight>();
    pg::transaction([&] { Teller{destination, round, *flight}.tell(limit); }, true);
    if (!flight->changes.empty())
        flight->place = pg::flush_wal();
    return flight;
}

} // namespace autosync::worker
