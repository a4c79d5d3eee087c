// estimate(): what a backfill would have embedded, before it is paid for.

#include <array>
#include <cmath>
#include <map>

#include "config/options.hpp"
#include "embed/answer.hpp"
#include "embed/request.hpp"
#include "operate/access.hpp"
#include "operate/ask.hpp"
#include "operate/condition.hpp"
#include "operate/rows.hpp"
#include "operate/vectors.hpp"

namespace autosync::operate {

namespace {

constexpr std::int64_t most_rows = 200'000; ///< more are sampled
constexpr std::size_t probes = 16;          ///< texts that show how fast the embedder is

/// A column's value as text, or what stands for it.
std::string shown(const std::string &column, const std::map<std::string, config::Mask> &masks)
{
    const std::string text = pg::quote(column) + "::pg_catalog.text";
    const auto mask = masks.find(column);
    if (mask == masks.end())
        return text;
    switch (mask->second.way) {
    case config::Mask::Way::none:
        return text;
    case config::Mask::Way::null:
        return "NULL";
    case config::Mask::Way::hash:
        return "encode(sha256(convert_to(" + text + ", 'UTF8')), 'hex')";
    case config::Mask::Way::text:
        return "CASE WHEN " + text + " IS NOT NULL THEN " + pg::quote_string(mask->second.text) + " END";
    }
    return text;
}

/// One expression per text of a row.
std::vector<std::string> texts_of(const config::Sync &sync)
{
    std::vector<std::string> texts;
    const auto option = sync.options.find("mask");
    const auto masks = option == sync.options.end() ? std::map<std::string, config::Mask>{} : config::parse_masks(option->second);
    if (const auto expression = sync.options.find("embed_expression"); expression != sync.options.end())
        texts.push_back("(" + expression->second + "\n)::pg_catalog.text");
    if (const auto embed = sync.options.find("embed"); embed != sync.options.end())
        for (const auto &[vector, columns] : config::parse_vectors(embed->second)) {
            std::string list;
            for (const auto &column : columns)
                list += ", nullif(" + shown(column, masks) + ", '')";
            texts.push_back("concat_ws(E'\\n'" + list + ")");
        }
    return texts;
}

struct Estimate {
    double rows = 0;
    double texts = 0;
    double tokens = 0;
};

/// FROM … WHERE …, of a part of the table when it is large.
std::string from(const config::Sync &sync, double percent)
{
    const auto filter = sync.options.find("filter");
    return " FROM " + pg::quote_qualified(sync.schema, sync.name) +
           (percent < 100 ? " TABLESAMPLE SYSTEM (" + std::to_string(percent) + ")" : std::string{}) +
           (filter == sync.options.end() ? std::string{" WHERE true"} : " WHERE (" + filter->second + "\n)") +
           (sync.deleted.empty() ? std::string{} : " AND (" + sync.deleted + "\n) IS NOT TRUE");
}

/// Tokens as embed::estimated_tokens() has them: a third of the bytes.
Estimate count(const config::Sync &sync, const std::vector<std::string> &texts, double percent)
{
    std::string list;
    std::string sums_of_texts = "0";
    std::string sums_of_tokens = "0";
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const std::string size = "b" + std::to_string(i);
        list += (i > 0 ? ", " : " ") + ("octet_length(" + texts[i]) + ") AS " + size;
        sums_of_texts += " + count(*) FILTER (WHERE " + size + " > 0)";
        sums_of_tokens += " + coalesce(sum(ceil(" + size + " / 3.0)), 0)";
    }
    const auto rows =
        pg::execute("SELECT count(*), " + sums_of_texts + ", " + sums_of_tokens + " FROM (SELECT" + list + from(sync, percent) + ") AS _autosync");
    const double scale = 100 / percent;
    const auto number = [&](std::size_t i) { return std::stod(rows.at(0).at(i).value_or("0")) * scale; };
    return {number(0), number(1), number(2)};
}

/// Seconds per text, as a few of the table's own show; NULL when the embedder does not answer.
std::optional<double> pace(const VectorSync &declared, const std::string &expression)
{
    std::vector<std::string> texts;
    for (const auto &row : pg::execute("SELECT t FROM (SELECT " + expression + " AS t" + from(declared.sync, 100) +
                                       ") AS _autosync WHERE t <> '' LIMIT " + std::to_string(probes)))
        texts.push_back(row.at(0).value_or(""));
    const auto &server = declared.target.description;
    if (texts.empty() || !server.embedder)
        return std::nullopt;
    std::vector<std::string_view> views{texts.begin(), texts.end()};
    views.resize(embed::first_piece(*server.embedder, views));
    const auto &mapping = declared.compiled();
    const auto response = ask(embed::embeddings_request(*server.embedder, targets::qdrant::model_of(server, mapping),
                                                        targets::qdrant::dimensions_of(server, mapping), views),
                              server.embedder->access, declared.target.limits);
    if (embed::read_answer(response, views.size(), 0).problem)
        return std::nullopt;
    return std::chrono::duration<double>(response.elapsed).count() / static_cast<double>(views.size());
}

std::string whole(double value) { return std::to_string(std::llround(value)); }

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_estimate)
{
    operate::require_arguments(fcinfo, {"source", "target"});
    const Oid source = DatumGetObjectId(fcinfo->args[0].value);
    const std::string name = pg::name_argument(fcinfo, 1);
    operate::require_table(source);
    (void) operate::require_target_usage(name);
    const auto declared = operate::require_vector_sync(source, name);
    const auto texts = operate::texts_of(declared.sync);
    const auto rows = operate::estimate_rows(source, std::nullopt);
    const double percent = rows > operate::most_rows ? 100.0 * static_cast<double>(operate::most_rows) / static_cast<double>(rows) : 100;
    operate::Estimate estimate;
    std::optional<double> pace;
    {
        const pg::ActingAs owner{declared.sync.owner};
        estimate = operate::count(declared.sync, texts, percent);
        if (!texts.empty() && estimate.texts > 0)
            pace = operate::pace(declared, texts.front());
    }
    return operate::one_row(fcinfo, {operate::whole(estimate.rows), operate::whole(estimate.texts), operate::whole(estimate.tokens),
                                     pace ? pg::Cell{std::to_string(*pace * estimate.texts) + " seconds"} : pg::Cell{}});
}
