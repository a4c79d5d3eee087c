// Rows in key order: what a backfill reads.
#include <algorithm>
#include <cstdlib>

#include "mapping/key.hpp"
#include "worker/parameters.hpp"
#include "worker/reader_state.hpp"

namespace autosync::worker {

namespace {

constexpr std::size_t most_rows = 1000;      ///< per statement
constexpr std::size_t most_passed_over = 20; ///< rows looked at per row wanted, before others have their turn

std::vector<Oid> types_after(const Statement &statement, bool from_position)
{
    std::vector<Oid> types;
    if (from_position)
        for (const auto &type : statement.key)
            types.push_back(type.type);
    types.push_back(INT8OID);
    return types;
}

} // namespace

void Reader::State::use_condition(const std::string &where_clause)
{
    if (where == where_clause)
        return;
    where = where_clause;
    first.reset();
    next.reset();
}

Plan &Reader::State::plan_after(bool from_position, bool keys_only)
{
    auto &plan = from_position ? (keys_only ? next_key : next) : (keys_only ? first_key : first);
    if (!plan)
        plan.emplace(statement.after(from_position, keys_only, where), types_after(statement, from_position));
    return *plan;
}

std::vector<Datum> Reader::State::parameters_after(const std::string &position, std::size_t count) const
{
    std::vector<Datum> parameters;
    if (!position.empty()) {
        const std::vector<std::string> texts = mapping::texts_from_json(position);
        if (texts.size() != statement.key.size())
            throw SyncTrouble{ERRCODE_DATATYPE_MISMATCH, "the key has other columns than when the backfill began"};
        parameters = key_values(statement, texts);
    }
    parameters.push_back(Int64GetDatum(static_cast<int64>(count)));
    return parameters;
}

void Reader::State::try_scan(std::size_t count, std::size_t byte_budget, std::size_t *bytes, BackfillPiece *piece, std::size_t *seen, Step *step)
{
    *step = Step::planning;
    Plan &plan = plan_after(!piece->position.empty(), false);
    plan.prepare();
    *step = Step::parameters;
    const std::vector<Datum> parameters = parameters_after(piece->position, count);
    *step = Step::running;
    TupleDesc shape = nullptr;
    const auto tuples = plan.run(parameters, statement.types, &shape);
    const Pinned pinned;
    const Rows found{decoder.key(), tuples, shape};
    std::size_t i = 0;
    for (; i < found.size() && (i == 0 || *bytes < byte_budget); ++i) {
        if (!DatumGetBool(found.values(i)[statement.match()]))
            continue;
        const std::string key = mapping::key_text(statement.key_parts, found.key_columns(i));
        ReadRow row = decoder.read(found.values(i), found.nulls(i), bytes);
        if (row.filtered)
            continue;
        name(row, key);
        piece->rows.push_back(std::move(row));
        piece->keys.push_back(key);
    }
    if (i > 0)
        piece->position = mapping::texts_to_json(found.key_columns(i - 1));
    piece->finished = i == found.size() && i < count;
    *seen = i;
}

void Reader::State::scan(std::size_t count, std::size_t byte_budget, std::size_t *bytes, BackfillPiece *piece, std::size_t *seen)
{
    Step step = Step::planning;
    const std::size_t before = *bytes;
    const std::size_t had = piece->rows.size();
    const std::string position = piece->position;
    try {
        as_owner(owner, limit, [&] { try_scan(count, byte_budget, bytes, piece, seen, &step); });
    } catch (const pg::Error &error) {
        *bytes = before;
        piece->rows.resize(had);
        piece->keys.resize(had);
        piece->position = position;
        *seen = 0;
        blame(error, step == Step::parameters ? Step::planning : step);
        if (count == 1)
            park_next(error.what(), piece);
    }
}

void Reader::State::park_next(const std::string &problem, BackfillPiece *piece)
{
    as_owner(owner, limit, [&] {
        Plan &plan = plan_after(!piece->position.empty(), true);
        plan.prepare();
        TupleDesc shape = nullptr;
        const std::span<const Oid> types{statement.types.data(), statement.key.size()};
        const auto tuples = plan.run(parameters_after(piece->position, 1), types, &shape);
        const Pinned pinned;
        const Rows found{decoder.key(), tuples, shape};
        if (found.size() == 0) {
            piece->finished = true;
            return;
        }
        const std::vector<std::string> columns_of_key = found.key_columns(0);
        ReadRow &row = piece->rows.emplace_back();
        piece->keys.push_back(mapping::key_text(statement.key_parts, columns_of_key));
        piece->position = mapping::texts_to_json(columns_of_key);
        name(row, piece->keys.back());
        row.problem = problem;
    });
}

BackfillPiece Reader::read_after(const std::string &position, const std::string &where_clause, std::size_t limit, std::size_t byte_budget)
{
    state_->use_condition(where_clause);
    BackfillPiece piece;
    piece.position = position;
    std::size_t bytes = 0;
    std::size_t looked_at = 0;
    std::size_t count = most_rows;
    while (!piece.finished && piece.rows.size() < limit && looked_at < limit * most_passed_over && (looked_at == 0 || bytes < byte_budget)) {
        count = std::min({count, most_rows, limit - piece.rows.size()});
        std::size_t seen = 0;
        const std::size_t had = piece.rows.size();
        state_->scan(count, byte_budget, &bytes, &piece, &seen);
        if (seen == 0 && piece.rows.size() == had) { // it raised: look closer
            count = std::max<std::size_t>(count / 2, 1);
            continue;
        }
        looked_at += std::max<std::size_t>(seen, 1);
        count *= 2;
    }
    return piece;
}

std::int64_t Reader::estimate_rows(const std::string &where_clause)
{
    std::string line;
    const std::string sql = state_->statement.estimate(where_clause);
    try {
        as_owner(state_->owner, state_->limit, [&] {
            const auto text = pg::execute_one(sql);
            line = text.value_or("");
        });
    } catch (const pg::Error &error) {
        blame(error, Step::planning);
    }
    const auto rows = line.find("rows=");
    return rows == std::string::npos ? 0 : std::strtoll(line.c_str() + rows + 5, nullptr, 10);
}

} // namespace autosync::worker
