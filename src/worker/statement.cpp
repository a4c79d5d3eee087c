#include "worker/statement.hpp"

#include "pg/spi.hpp"
#include "worker/read.hpp"

namespace autosync::worker {

namespace {

std::string column_of(const std::string &table, const std::string &column) { return pg::quote(table) + "." + pg::quote(column); }

std::string name_of(Oid table, AttrNumber number)
{
    const char *const name = pg::call([=] { return get_attname(table, number, true); });
    if (name == nullptr)
        throw SyncTrouble{ERRCODE_UNDEFINED_COLUMN, "a column of a foreign key does not exist"};
    return name;
}

std::string type_name(Oid type)
{
    return pg::call([type] { return format_type_extended(type, -1, FORMAT_TYPE_FORCE_QUALIFY); });
}

/// No name of ours may stand for a column that a filter means.
std::string own_prefix(Oid table)
{
    struct Names {
        NameData *names;
        int count;
    };
    // From the catalog, not from the relation: that would wait for whoever has the table locked.
    const Names names = pg::call([table] {
        HeapTuple const entry = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
        const int count = HeapTupleIsValid(entry) ? reinterpret_cast<Form_pg_class>(GETSTRUCT(entry))->relnatts : 0;
        if (HeapTupleIsValid(entry))
            ReleaseSysCache(entry);
        auto *const list = static_cast<NameData *>(palloc0(sizeof(NameData) * static_cast<Size>(count + 1)));
        for (int i = 0; i < count; ++i) {
            if (const char *const column = get_attname(table, static_cast<AttrNumber>(i + 1), true))
                namestrcpy(&list[i], column);
        }
        if (const char *const relation = get_rel_name(table))
            namestrcpy(&list[count], relation);
        return Names{list, count + 1};
    });
    std::string prefix = "_autosync";
    for (int i = 0; i < names.count; ++i) {
        if (std::string_view{NameStr(names.names[i])}.substr(0, prefix.size()) == prefix) {
            prefix.insert(prefix.begin(), '_');
            i = -1;
        }
    }
    pfree(names.names);
    return prefix;
}

std::string from_clause(Oid table, const std::string &schema, const std::string &name)
{
    const bool partitioned = pg::call([table] { return get_rel_relkind(table); }) == RELKIND_PARTITIONED_TABLE;
    return (partitioned ? "" : "ONLY ") + pg::quote_qualified(schema, name);
}

/// The parent's row by the columns that the foreign key references; a sub-select hides its columns from the filter.
std::string parent_join(const config::LinkReader &link, const std::string &child, const std::string &alias)
{
    struct Names {
        NameData schema, name;
    };
    const Oid parent = link.parent;
    const Names names = pg::call([parent] {
        Names result{};
        const char *const name = get_rel_name(parent);
        const char *const schema = get_namespace_name(get_rel_namespace(parent));
        if (name != nullptr && schema != nullptr) {
            namestrcpy(&result.name, name);
            namestrcpy(&result.schema, schema);
        }
        return result;
    });
    const std::string row = alias + "_row";
    std::string list;
    for (std::size_t i = 0; i < link.names.size(); ++i)
        list += (i > 0 ? ", " : "") + column_of(row, link.names[i]) + " AS " + pg::quote(alias + "_" + std::to_string(i));
    std::string condition;
    for (const auto &[column, referenced] : link.join) {
        const KeyType type = key_type(column_type(parent, referenced));
        condition += (condition.empty() ? "" : " AND ") + column_of(row, referenced) + " " + type.equal + " " + column_of(child, column);
    }
    return "\n LEFT JOIN LATERAL (SELECT " + list + " FROM " + from_clause(parent, NameStr(names.schema), NameStr(names.name)) + " AS " +
           pg::quote(row) + " WHERE " + condition + " LIMIT 1) AS " + pg::quote(alias) + " ON true";
}

/// Puts the parts together, one by one.
class Builder final {
public:
    Builder(const config::Sync &sync, Statement &made) : sync_{sync}, made_{made} {}

    void add_key(const config::KeyColumn &column);
    void add_link(const config::LinkReader &link, const std::string &alias);
    void add(const std::string &expression, Oid type);
    void compute(const std::string &expression);

private:
    void add_to(std::string &list, const std::string &expression, Oid type);
    const config::Sync &sync_;
    Statement &made_;
};

void Builder::add_to(std::string &list, const std::string &expression, Oid type)
{
    list += ", " + expression;
    made_.types.push_back(type);
}

void Builder::add(const std::string &expression, Oid type) { add_to(made_.values, expression, type); }

void Builder::compute(const std::string &expression)
{
    made_.computed.push_back(expression);
    made_.types.push_back(TEXTOID);
}

void Builder::add_key(const config::KeyColumn &column)
{
    const KeyType &type = made_.key.emplace_back(key_type(column.type));
    made_.by_arrays = made_.by_arrays && OidIsValid(type.array);
    made_.key_parts.push_back({.name = column.name, .number = type.integer()});
    made_.key_columns.push_back(column_of(sync_.name, column.name));
    made_.keys += (made_.keys.empty() ? "" : ", ") + made_.key_columns.back();
    made_.types.push_back(column.type);
}

void Builder::add_link(const config::LinkReader &link, const std::string &alias)
{
    auto &columns = made_.links.emplace_back();
    columns.first = made_.types.size();
    if (!link.from_columns)
        made_.joins += parent_join(link, sync_.name, alias);
    for (std::size_t i = 0; i < link.names.size(); ++i) {
        const Oid wanted = column_type(link.parent, link.names[i]);
        const KeyType type = key_type(wanted);
        columns.parts.push_back({.name = link.names[i], .number = type.integer()});
        if (link.from_columns) {
            const std::string name = name_of(sync_.table, link.columns.at(i));
            const Oid own = column_type(sync_.table, name);
            const bool same = pg::call([own] { return getBaseType(own); }) == type.type;
            add_to(made_.link_values, column_of(sync_.name, name) + (same ? "" : "::" + type_name(type.type)), same ? own : type.type);
        } else {
            add_to(made_.link_values, column_of(alias, alias + "_" + std::to_string(i)), wanted);
        }
    }
}

} // namespace

std::string Statement::select(const std::string &where_clause) const
{
    std::string match;
    for (const auto *const condition : {&filter, &where_clause})
        if (!condition->empty()) // on a line of its own: it may end in a comment
            match += (match.empty() ? "((" : " AND ((") + *condition + "\n) IS TRUE)";
    if (!deleted.empty())
        match += (match.empty() ? "((" : " AND ((") + deleted + "\n) IS NOT TRUE)";
    if (match.empty())
        match = "true";
    std::string given;
    for (const auto &expression : computed) // a row that does not match may be none that it can be evaluated for
        given += ", CASE WHEN " + match + " THEN (" + expression + "\n)::pg_catalog.text END";
    std::string gone = deleted.empty() ? "" : ", ((" + deleted + "\n) IS TRUE)";
    if (!deleted.empty() && !removes.empty())
        gone += ", CASE WHEN ((" + deleted + "\n) IS TRUE) THEN ((" + removes + "\n) IS TRUE) ELSE false END";
    if (!version.empty())
        gone += ", " + version;
    return "SELECT " + keys + ", " + match + gone + values + given + link_values;
}

std::string Statement::by_keys() const
{
    if (by_arrays && key.size() == 1)
        return select("") + "\n FROM " + table + joins + "\n WHERE " + key_columns.front() + " " + key.front().equal + " ANY ($1)";
    std::string arrays;
    std::string names;
    std::string condition;
    for (std::size_t i = 0; i < key.size(); ++i) {
        const std::string parameter = "$" + std::to_string(i + 1);
        const std::string name = pg::quote(prefix + "_key") + "." + pg::quote(prefix + "_" + std::to_string(i));
        arrays += (i > 0 ? ", " : "") + parameter;
        names += (i > 0 ? ", " : "") + pg::quote(prefix + "_" + std::to_string(i));
        condition += (i > 0 ? " AND " : "") + key_columns[i] + " " + key[i].equal + " " + (by_arrays ? name : parameter);
    }
    if (!by_arrays)
        return select("") + "\n FROM " + table + joins + "\n WHERE " + condition;
    // unnest of several arrays is syntax of its own: it must not be qualified.
    return select("") + "\n FROM unnest(" + arrays + ") AS " + pg::quote(prefix + "_key") + " (" + names + ") JOIN " + table + " ON " + condition +
           joins;
}

std::string Statement::by_payloads() const
{
    const std::string given = pg::quote(prefix + "_event");
    return select("") + "\n FROM pg_catalog.unnest($1) WITH ORDINALITY AS " + given + " (payload, place) CROSS JOIN LATERAL pg_catalog.json_populate_record(NULL::" +
           row_type + ", " + given + ".payload::pg_catalog.json) AS " + alias + joins + "\n ORDER BY " + given + ".place";
}

std::string Statement::after(bool from_position, bool keys_only, const std::string &where_clause) const
{
    std::string order;
    std::string parameters;
    std::string mixed;
    bool plain = true;
    for (std::size_t i = key.size(); i-- > 0;) {
        const std::string parameter = "$" + std::to_string(i + 1);
        const std::string greater = key_columns[i] + " " + key[i].greater + " " + parameter;
        order.insert(0, key_columns[i] + (order.empty() ? "" : ", "));
        parameters.insert(0, parameter + (parameters.empty() ? "" : ", "));
        plain = plain && key[i].greater == "OPERATOR(pg_catalog.>)";
        mixed = mixed.empty() ? greater : "(" + greater + " OR (" + key_columns[i] + " " + key[i].equal + " " + parameter + " AND " + mixed + "))";
    }
    std::string sql = (keys_only ? "SELECT " + keys : select(where_clause)) + "\n FROM " + table + (keys_only ? "" : joins);
    if (from_position)
        sql += "\n WHERE " + (key.size() == 1 || !plain ? mixed : "ROW(" + order + ") OPERATOR(pg_catalog.>) ROW(" + parameters + ")");
    return sql + "\n ORDER BY " + order + " LIMIT $" + std::to_string((from_position ? key.size() : 0) + 1);
}

std::string Statement::estimate(const std::string &where_clause) const
{
    std::string sql = "EXPLAIN SELECT FROM " + table;
    const char *glue = " WHERE ((";
    for (const auto *const condition : {&filter, &where_clause}) {
        if (condition->empty())
            continue;
        sql += glue + *condition + "\n) IS TRUE)";
        glue = " AND ((";
    }
    return deleted.empty() ? sql : sql + glue + deleted + "\n) IS NOT TRUE)";
}

Statement make_statement(const config::Sync &sync)
{
    Statement made;
    Builder builder{sync, made};
    made.prefix = own_prefix(sync.table);
    made.table = from_clause(sync.table, sync.schema, sync.name);
    made.row_type = pg::quote_qualified(sync.schema, sync.name);
    made.alias = pg::quote(sync.name);
    if (const auto filter = sync.options.find("filter"); filter != sync.options.end())
        made.filter = filter->second;
    made.deleted = sync.deleted;
    made.removes = sync.removes;
    for (const auto &column : sync.key)
        builder.add_key(column);
    made.version = sync.version;
    made.types.insert(made.types.end(), made.version_column() - made.match(), BOOLOID);
    if (!made.version.empty())
        made.types.push_back(INT8OID);
    for (std::size_t i = 0; i < sync.source.columns.size(); ++i)
        builder.add(column_of(sync.name, sync.source.columns[i].name), sync.column_types.at(i));
    for (const auto &expression : sync.expressions)
        builder.compute(expression);
    for (std::size_t i = 0; i < sync.links.size(); ++i)
        builder.add_link(sync.links[i], made.prefix + "_link_" + std::to_string(i));
    return made;
}

} // namespace autosync::worker
