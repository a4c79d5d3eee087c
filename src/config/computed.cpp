#include "config/computed.hpp"

#include <array>
#include <optional>

#include "config/foreign_keys.hpp"
#include "config/keys.hpp"
#include "pg/spi.hpp"

namespace autosync::config {

namespace {

using mapping::Kind;

std::string column_of(const Table &table, const std::string &column) { return pg::quote(table.name) + "." + pg::quote(column); }

/// The parent's column `did`, by the foreign key that is on `user_id` or `user` alone.
std::optional<std::string> did_of_user(Catalog &catalog, const Table &table, const std::string &target)
{
    for (const auto &[link, reader] : references(catalog, table, target)) {
        if (link.columns.size() != 1 || (link.columns[0] != "user_id" && link.columns[0] != "user"))
            continue;
        const auto *const parent = catalog.table(reader.parent);
        if (parent == nullptr || parent->attribute("did") == nullptr)
            continue;
        const std::string alias = pg::quote("_autosync_user");
        const auto &referenced = reader.from_columns ? reader.names.at(0) : reader.join.at(0).second;
        return "SELECT " + alias + ".did FROM " + pg::quote_qualified(parent->schema, parent->name) + " AS " + alias + " WHERE " + alias + "." +
               pg::quote(referenced) + " OPERATOR(pg_catalog.=) " + column_of(table, link.columns[0]);
    }
    return std::nullopt;
}

/// Whose record a row is: as declared, else by the row's own `did`, that of its user, its `author`.
std::string did_expression(Catalog &catalog, const Table &table, const std::string &target, const mapping::Options &options)
{
    const auto expression = options.find("did_expression");
    const auto column = options.find("did");
    if (expression != options.end() && column != options.end())
        throw pg::Failure{
            ERRCODE_INVALID_PARAMETER_VALUE, "options \"did\" and \"did_expression\" exclude each other", {}, "Name a column, or write an expression."};
    if (expression != options.end())
        return expression->second;
    if (column != options.end())
        return column_of(table, named_columns(table, "did", column->second).front()->name);
    if (table.attribute("did") != nullptr)
        return column_of(table, "did");
    if (const auto user = did_of_user(catalog, table, target))
        return *user;
    if (table.attribute("author") != nullptr)
        return column_of(table, "author");
    throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "nothing says whose records the rows of table " + shown(table) + " are",
                      "It has no column \"did\" or \"author\", and no foreign key on \"user_id\" to a table with a column \"did\".",
                      "Name a column in the option \"did\", or write an expression into \"did_expression\"."};
}

/// The option names a function of the row; without a schema it is looked for beside the table, then in public.
std::string transform_expression(const Table &table, const std::string &name)
{
    const auto found = pg::execute_one(
        "SELECT quote_ident(n.nspname) || '.' || quote_ident(p.proname) FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace"
        " CROSS JOIN parse_ident($1) AS name"
        " WHERE p.pronargs = 1 AND p.proargtypes[0] = (SELECT reltype FROM pg_catalog.pg_class WHERE oid = $2::oid)"
        " AND p.prorettype IN ('jsonb'::regtype, 'json'::regtype) AND NOT p.proretset AND p.prokind = 'f' AND p.proname = name[array_upper(name, 1)]"
        " AND (CASE WHEN array_length(name, 1) > 1 THEN n.nspname = name[1] ELSE n.nspname IN ($3, 'public') END)"
        " ORDER BY n.nspname = $3 DESC LIMIT 1",
        {name, std::to_string(table.oid), table.schema});
    if (!found)
        throw pg::Failure{ERRCODE_UNDEFINED_FUNCTION, "function " + name + "(" + shown(table) + ") returning jsonb does not exist",
                          {},
                          "The option \"transform\" names a function that takes a row of the table, in the table's schema, in public or with its schema."};
    return *found + "(" + pg::quote(table.name) + ".*)";
}

/// Neo4j's properties are scalars, and lists of texts, of whole numbers or of booleans: other values are JSON text, and null is no property.
std::string given_form(const std::string &expression, const std::string &kind)
{
    const std::string document = "nullif((" + expression + ")::pg_catalog.jsonb, 'null')";
    if (kind != "neo4j")
        return document;
    return "SELECT CASE WHEN given.document IS NULL OR pg_catalog.jsonb_typeof(given.document) <> 'object' THEN given.document ELSE (SELECT coalesce(pg_catalog.jsonb_object_agg(member.key,"
           " CASE WHEN pg_catalog.jsonb_typeof(member.value) NOT IN ('object', 'array') THEN member.value"
           " WHEN pg_catalog.jsonb_typeof(member.value) = 'array' AND (SELECT pg_catalog.count(DISTINCT pg_catalog.jsonb_typeof(item.value)) <= 1"
           " AND coalesce(pg_catalog.bool_and(pg_catalog.jsonb_typeof(item.value) IN ('string', 'boolean') OR item.value::pg_catalog.text ~ '^-?[0-9]{1,18}$'), true)"
           " FROM pg_catalog.jsonb_array_elements(CASE pg_catalog.jsonb_typeof(member.value) WHEN 'array' THEN member.value ELSE '[]' END) AS item) THEN member.value"
           " ELSE pg_catalog.to_jsonb(member.value::pg_catalog.text) END), '{}') FROM pg_catalog.jsonb_each(CASE pg_catalog.jsonb_typeof(given.document) WHEN 'object'"
           " THEN given.document END) AS member WHERE pg_catalog.jsonb_typeof(member.value) <> 'null') END FROM (SELECT " +
           document + " AS document OFFSET 0) AS given";
}

} // namespace

std::vector<Computed> computed_values(Catalog &catalog, const Table &table, const std::string &target, const std::string &kind,
                                      const mapping::Options &options)
{
    std::vector<Computed> values;
    if (const auto embedded = options.find("embed_expression"); embedded != options.end())
        values.push_back({{"embed_expression", {}}, embedded->second});
    const auto transform = options.find("transform");
    if (kind != "atproto") {
        if (transform != options.end())
            values.push_back({{"transform", {Kind::text}}, given_form(transform_expression(table, transform->second), kind)});
        return values;
    }
    values.push_back({{"did_expression", {Kind::text}}, did_expression(catalog, table, target, options)});
    if (transform != options.end())
        values.push_back({{"transform", {Kind::text}}, transform_expression(table, transform->second)});
    for (const auto *const option : {"uri_column", "cid_column"})
        if (const auto column = options.find(option); column != options.end())
            (void)named_columns(table, option, column->second);
    return values;
}

} // namespace autosync::config
