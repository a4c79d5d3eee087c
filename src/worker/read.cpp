#include "worker/read.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "worker/ddl.hpp"
#include "worker/parameters.hpp"
#include "worker/reader_state.hpp"

namespace autosync::worker {

namespace {

constexpr std::size_t most_keys = 500; ///< per statement

/// Of on_delete also where a condition decides: it was asked when the row was there, and what it wants removed is marked as such.
[[nodiscard]] bool kept(const config::Sync &sync, const char *name)
{
    const auto option = sync.options.find(name);
    return option != sync.options.end() && option->second != "remove";
}

[[nodiscard]] RowDecoder decoder_of(const config::Sync &sync, const Statement &statement)
{
    try {
        return {sync, statement};
    } catch (const pg::Failure &failure) {
        throw SyncTrouble{failure.sqlstate(), failure.what()};
    }
}

/// Of the key parameters.
std::vector<Oid> types_of(const Statement &statement)
{
    std::vector<Oid> types;
    for (const auto &type : statement.key)
        types.push_back(statement.by_arrays ? type.array : type.type);
    return types;
}

} // namespace

void blame(const pg::Error &error, Step step)
{
    const int state = error.sqlstate();
    switch (ERRCODE_TO_CATEGORY(state)) {
    case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
    case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
    case ERRCODE_INVALID_TRANSACTION_STATE:
    case ERRCODE_TRANSACTION_ROLLBACK:
    case ERRCODE_INSUFFICIENT_RESOURCES:
    case ERRCODE_OPERATOR_INTERVENTION:
    case ERRCODE_SYSTEM_ERROR:
        throw SyncTrouble{state, error.what()};
    default:
        if (step == Step::planning || state == ERRCODE_INVALID_SCHEMA_NAME || dropped_meanwhile(error))
            throw SyncTrouble{state, error.what()};
    }
}

Reader::State::State(const config::Sync &sync)
    : owner{sync.owner},
      keep_filtered{kept(sync, "on_filtered")},
      keep_deleted{kept(sync, "on_delete")},
      columns{sync.source.columns},
      masks{sync.masks},
      statement{make_statement(sync)},
      decoder{decoder_of(sync, statement)},
      by_keys{statement.by_keys(), types_of(statement)}
{
}

Reader::Reader(const config::Sync &sync) : state_{std::make_unique<State>(sync)} {}
Reader::~Reader() = default;

void Reader::time_limit(std::chrono::milliseconds limit) { state_->limit = limit; }

bool Reader::fits(const config::Sync &sync) const
{
    if (state_->owner != sync.owner || state_->columns != sync.source.columns || state_->masks != sync.masks || state_->keep_filtered != kept(sync, "on_filtered") ||
        state_->keep_deleted != kept(sync, "on_delete"))
        return false;
    try {
        return state_->statement == make_statement(sync);
    } catch (const SyncTrouble &) {
        return false; // a new reader says why
    }
}

ReadRow Reader::State::absent() const
{
    ReadRow row;
    row.change.removed = true;
    row.skip = keep_deleted;
    return row;
}

void Reader::State::name(ReadRow &row, const std::string &key) const
{
    row.change.key = key;
    try {
        row.change.key = pg::to_utf8(key, statement.key_parts.front().name);
    } catch (const pg::Unreadable &reason) {
        row.problem = reason.what();
        row.unnamed = true;
    }
}

void Reader::State::try_batch(std::span<const Wanted> wanted, std::size_t byte_budget, std::size_t *bytes, std::vector<ReadRow> *rows, Step *step)
{
    *step = Step::planning;
    by_keys.prepare();
    *step = Step::parameters;
    const std::vector<Datum> parameters = statement.by_arrays ? key_arrays(statement, wanted) : key_values(statement, wanted.front().columns);
    *step = Step::running;
    TupleDesc shape = nullptr;
    const auto tuples = by_keys.run(parameters, statement.types, &shape);

    // By text, not by the operator: 1.0 and 1.00, or 'A' and 'a' of a citext, are other keys even where the index holds them equal.
    const Pinned pinned;
    const Rows found{decoder.key(), tuples, shape};
    std::unordered_map<std::string_view, std::size_t> places(found.size());
    for (std::size_t i = 0; i < found.size(); ++i)
        places.emplace(found.key(i), i);
    std::string text;
    for (const auto &one : wanted) {
        join(one.columns, text);
        const auto place = places.find(text);
        if (place == places.end()) {
            rows->push_back(absent());
            *bytes += sizeof(ReadRow);
        } else {
            rows->push_back(decoder.read(found.values(place->second), found.nulls(place->second), bytes));
        }
        name(rows->back(), one.key);
        if (*bytes >= byte_budget)
            break;
    }
}

void Reader::State::read_batch(std::span<const Wanted> wanted, std::size_t byte_budget, std::size_t *bytes, std::vector<ReadRow> *rows)
{
    Step step = Step::planning;
    const std::size_t before = *bytes;
    const std::size_t had = rows->size();
    try {
        as_owner(owner, limit, [&] { try_batch(wanted, byte_budget, bytes, rows, &step); });
        return;
    } catch (const pg::Error &error) {
        *bytes = before;
        rows->resize(had);
        blame(error, step);
        if (wanted.size() == 1) {
            rows->push_back(absent());
            // A text that the column's type does not know is no key of a row.
            if (step != Step::parameters || ERRCODE_TO_CATEGORY(error.sqlstate()) != ERRCODE_DATA_EXCEPTION)
                rows->back() = ReadRow{.change = {}, .problem = error.what(), .unnamed = false, .version = {}, .filtered = false, .deleted = false, .skip = false};
            name(rows->back(), wanted.front().key);
            *bytes += sizeof(ReadRow);
            return;
        }
    }
    const std::size_t half = wanted.size() / 2;
    read_batch(wanted.first(half), byte_budget, bytes, rows);
    if (rows->size() == had + half && *bytes < byte_budget)
        read_batch(wanted.subspan(half), byte_budget, bytes, rows);
}

std::vector<ReadRow> Reader::read_keys(std::span<const Wanted> wanted, std::size_t byte_budget, std::size_t *done)
{
    std::vector<ReadRow> rows;
    rows.reserve(std::min(wanted.size(), most_keys));
    std::size_t bytes = 0;
    const std::size_t most = state_->statement.by_arrays ? most_keys : 1;
    while (rows.size() < wanted.size() && (rows.empty() || bytes < byte_budget))
        state_->read_batch(wanted.subspan(rows.size(), std::min(most, wanted.size() - rows.size())), byte_budget, &bytes, &rows);
    *done = rows.size();
    return rows;
}

} // namespace autosync::worker
