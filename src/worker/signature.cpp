#include "worker/signature.hpp"

#include <algorithm>
#include <set>
#include <string_view>

#include "pg/spi.hpp"

namespace autosync::worker {

namespace {

/// A dropped column keeps its number, but neither name nor type; pg_inherits.xmin tells a partition that went and came back.
constexpr const char *query = R"(
WITH RECURSIVE tree (oid, attached) AS (
    SELECT $1::oid, ''::text
    UNION ALL
    SELECT i.inhrelid, i.xmin::text
      FROM tree JOIN pg_catalog.pg_inherits AS i ON i.inhparent = tree.oid
      JOIN pg_catalog.pg_class AS child ON child.oid = i.inhrelid AND child.relispartition
)
SELECT 'file ' || c.oid || ' ' || pg_catalog.pg_relation_filenode(c.oid)
  FROM tree JOIN pg_catalog.pg_class AS c USING (oid)
 WHERE c.relkind = 'r'
UNION ALL
SELECT 'unlogged ' || c.oid
  FROM tree JOIN pg_catalog.pg_class AS c USING (oid)
 WHERE c.relkind = 'r' AND c.relpersistence = 'u'
UNION ALL
SELECT 'partition ' || tree.oid || ' ' || tree.attached FROM tree WHERE tree.oid <> $1::oid
UNION ALL
SELECT 'column ' || CASE WHEN a.attgenerated = '' THEN '- ' ELSE '+ ' END || CASE WHEN a.atthasmissing THEN '+ ' ELSE '- ' END
       || a.attnum || ' ' || a.atttypid || ' ' || a.atttypmod || ' ' || pg_catalog.quote_ident(a.attname)
  FROM pg_catalog.pg_attribute AS a
 WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY 1)";

std::set<std::string_view> lines_of(std::string_view text)
{
    std::set<std::string_view> lines;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        lines.insert(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

/// A column, not generated, and no value for the rows that were there before; or a table that a crash may empty from now on.
[[nodiscard]] bool adds_nothing(std::string_view line) { return line.starts_with("column - - ") || line.starts_with("unlogged "); }

/// A crash, or a promotion, empties unlogged tables and leaves no other trace: an unlogged table of our own tells.
std::string crash_mark()
{
    if (const auto known = pg::execute_one("SELECT since FROM autosync.crash_mark"))
        return *known;
    return pg::execute_one("INSERT INTO autosync.crash_mark VALUES (clock_timestamp()) RETURNING since").value_or("");
}

} // namespace

std::string signature(const config::Sync &sync)
{
    std::string text;
    const pg::ActingAs owner{pg::extension_owner(), false}; // for the search_path
    // Under a snapshot of its own: an older one may not see a table that has just been declared, and nothing would look like a change.
    for (const auto &row : pg::execute(query, {std::to_string(sync.table)})) {
        const std::string line = row.front().value_or("");
        text += line;
        if (line.starts_with("unlogged "))
            text += " " + crash_mark();
        text += '\n';
    }
    return text;
}

Drift compare(const std::string &before, const std::string &now)
{
    if (before == now)
        return Drift::none;
    const auto old_lines = lines_of(before);
    const auto new_lines = lines_of(now);
    for (const auto line : old_lines)
        if (!new_lines.contains(line))
            return Drift::changed;
    for (const auto line : new_lines)
        if (!old_lines.contains(line) && !adds_nothing(line))
            return Drift::changed;
    return Drift::columns_added;
}

} // namespace autosync::worker
