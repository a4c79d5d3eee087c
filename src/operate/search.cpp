// search(): the rows nearest in meaning to a text, by the vectors that the target holds.

#include <algorithm>
#include <charconv>

#include "embed/answer.hpp"
#include "embed/vector.hpp"
#include "mapping/identity.hpp"
#include "operate/access.hpp"
#include "operate/ask.hpp"
#include "operate/rows.hpp"
#include "operate/vectors.hpp"
#include "targets/secrets.hpp"
#include "targets/qdrant_search.hpp"
#include "worker/key_type.hpp"

namespace autosync::operate {

namespace {

namespace qdrant = targets::qdrant;

constexpr int most_hits = 10'000;

/// Whoever may read the key may learn which rows are near.
void require_select(const config::Sync &sync)
{
    const Oid table = sync.table;
    const auto may_read = [table](AttrNumber column) {
        return pg::call([=] { return pg_attribute_aclcheck(table, column, GetUserId(), ACL_SELECT); }) == ACLCHECK_OK;
    };
    if (pg::call([table] { return pg_class_aclcheck(table, GetUserId(), ACL_SELECT); }) == ACLCHECK_OK)
        return;
    if (!std::ranges::all_of(sync.key, [&](const auto &column) { return may_read(column.number); }))
        throw pg::Failure{
            ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied for table " + sync.name, {}, "SELECT on the columns of its key is enough."};
}

/// Rows that row security hides from the caller are not there for them.
class Visible final {
public:
    explicit Visible(const config::Sync &sync) : sync_{sync}
    {
        filters_ = pg::execute_one("SELECT pg_catalog.row_security_active($1::pg_catalog.oid)", {std::to_string(sync.table)}) == "t";
        std::string condition;
        for (const auto &column : sync.key) {
            names_.push_back(column.name);
            condition += (condition.empty() ? "" : " AND ") + pg::quote(column.name) + " " + worker::key_type(column.type).equal + " $" +
                         std::to_string(names_.size()) + "::" + column.type_name;
        }
        statement_ = "SELECT 1 FROM " + pg::quote_qualified(sync.schema, sync.name) + " WHERE " + condition + " LIMIT 1";
    }
    [[nodiscard]] bool filters() const { return filters_; }
    [[nodiscard]] bool sees(const std::string &key) const
    {
        if (!filters_)
            return true;
        const auto columns = sync_.key.size() == 1 ? std::vector<std::string>{key} : mapping::read_key(key, names_);
        return pg::execute_one(statement_, std::vector<pg::Cell>(columns.begin(), columns.end()), true).has_value();
    }

private:
    const config::Sync &sync_;
    bool filters_ = false;
    std::vector<std::string> names_;
    std::string statement_;
};

class Search final {
public:
    explicit Search(VectorSync declared) : declared_{std::move(declared)} {}

    [[nodiscard]] std::string vector_of(const std::string &query) const
    {
        if (!server().embedder && embed::count_numbers(query))
            return query;
        if (!server().embedder)
            throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "target \"" + name() + "\" has no embedder to turn the query into a vector",
                              {}, "Write the query as a vector: '[0.1, 0.2, …]', or set the option \"embed_url\" or \"embedder\" of the target."};
        const auto model = checked(ask(qdrant::model_request(server(), mapping()), server().access, limits()), qdrant::read_model);
        const auto request = qdrant::query_embedding(server(), mapping(), model, query);
        const auto response = ask(request, server().embedder->access, limits());
        const auto answer = embed::read_answer(response, 1, 0);
        if (!answer.problem)
            return *answer.vectors.at(0);
        const auto hidden = embed::read_answer(targets::without_secrets(server(), response), 1, 0);
        targets::Verdict problem;
        using Kind = embed::Problem::Kind;
        const auto kind = answer.problem->kind;
        problem.outcome = kind == Kind::unauthorized                        ? targets::Outcome::unauthorized
                          : kind == Kind::throttled                         ? targets::Outcome::throttled
                          : kind == Kind::refused || kind == Kind::too_much ? targets::Outcome::refused
                                                                            : targets::Outcome::unreachable;
        problem.message = "The embedder: " + targets::without_secrets(server(), hidden.problem.value_or(embed::Problem{}).message);
        fail_with(problem, name());
    }
    [[nodiscard]] std::vector<qdrant::Hit> nearest(const std::string &vector, std::size_t limit, const std::string &filter) const
    {
        return checked(ask(qdrant::search_request(server(), mapping(), vector, limit, filter), server().access, limits()), qdrant::read_hits);
    }
    [[nodiscard]] const config::Sync &sync() const { return declared_.sync; }

private:
    template <class Value> Value checked(const http::Response &response, qdrant::Reply<Value> (&reader)(const http::Response &)) const
    {
        auto reply = targets::read_without_secrets(server(), response, reader);
        if (reply.problem.outcome != targets::Outcome::delivered)
            fail_with(reply.problem, name());
        return std::move(reply.value);
    }
    [[nodiscard]] const targets::Server &server() const { return declared_.target.description; }
    [[nodiscard]] const qdrant::Compiled &mapping() const { return declared_.compiled(); }
    [[nodiscard]] const http::Limits &limits() const { return declared_.target.limits; }
    [[nodiscard]] const std::string &name() const { return declared_.target.name; }

    VectorSync declared_;
};

std::string utf8(const std::string &text)
{
    const char *const raw = text.c_str();
    const auto size = static_cast<int>(text.size());
    return pg::call([raw, size] { return pg_server_to_any(raw, size, PG_UTF8); });
}

std::string from_utf8(const std::string &text)
{
    const char *const raw = text.c_str();
    const auto size = static_cast<int>(text.size());
    return pg::call([raw, size] { return pg_any_to_server(raw, size, PG_UTF8); });
}

std::string score_text(double score)
{
    char text[32];
    const auto end = std::to_chars(text, text + sizeof(text), score).ptr;
    return {text, end};
}

/// Some of the nearest may be hidden from the caller: then more are asked for, until there are enough.
void search(Rows &rows, const Search &search, const std::string &vector, std::size_t wanted, const std::string &filter)
{
    const Visible visible{search.sync()};
    for (std::size_t limit = wanted;; limit = std::min<std::size_t>(limit * 4, most_hits)) {
        const auto hits = search.nearest(vector, limit, filter);
        std::vector<std::vector<pg::Cell>> found;
        for (const auto &hit : hits) {
            const auto key = from_utf8(hit.key);
            if (found.size() < wanted && visible.sees(key))
                found.push_back({key, score_text(hit.score)});
        }
        if (found.size() < wanted && visible.filters() && hits.size() == limit && limit < most_hits)
            continue;
        for (const auto &row : found)
            rows.add(row);
        return;
    }
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_search)
{
    operate::require_arguments(fcinfo, {"source", "target", "query", "k"});
    const Oid source = DatumGetObjectId(fcinfo->args[0].value);
    const std::string target = pg::name_argument(fcinfo, 1);
    const std::string query = operate::utf8(pg::text_argument(fcinfo, 2));
    const int wanted = DatumGetInt32(fcinfo->args[3].value);
    std::string filter;
    if (!fcinfo->args[4].isnull) {
        const Datum given = fcinfo->args[4].value;
        filter = operate::utf8(pg::call([given] { return JsonbToCString(nullptr, &DatumGetJsonbP(given)->root, VARSIZE(DatumGetPointer(given))); }));
        if (filter.front() != '{')
            throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "filter must be a JSON object", {},
                              R"(Write it as Qdrant does: {"must": [{"key": "price", "range": {"lt": 50}}]})"};
    }
    if (wanted < 1 || wanted > operate::most_hits)
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "k must be between 1 and " + std::to_string(operate::most_hits)};
    if (query.find_first_not_of(" \t\r\n") == std::string::npos)
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "query must not be empty"};
    auto declared = operate::require_vector_sync(source, target);
    operate::require_select(declared.sync);
    const operate::Search search{std::move(declared)};
    operate::Rows rows{fcinfo};
    operate::search(rows, search, search.vector_of(query), static_cast<std::size_t>(wanted), filter);
    PG_RETURN_VOID();
}
