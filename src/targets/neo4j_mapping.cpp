#include "targets/neo4j_mapping.hpp"

#include <set>
#include <stdexcept>

#include "mapping/json.hpp"
#include "mapping/object.hpp"

namespace autosync::targets::neo4j {
namespace {

namespace json = mapping::json;

std::string number(std::size_t value) { return std::to_string(value); }
std::string private_node(const std::string &variable, const std::string &label, const std::string &key)
{
    return '(' + variable + ':' + quote_name(label) + " {_key: " + key + "})";
}
std::string arrow(const Relation &relation, const std::string &inside) { return relation.incoming ? "<-[" + inside + "]-" : "-[" + inside + "]->"; }

/// SET items that turn temporal parameters into native values, each with a leading ', '.
std::string set_natives(const std::string &variable, const std::vector<Field> &fields)
{
    std::string out;
    for (const auto &field : fields) {
        if (!field.native)
            continue;
        out += ", " + variable + '.' + field.cypher_name + " = " + native_value(field);
    }
    return out;
}

/// The edge's own relationship, between the ends that the ledger node n remembers. Both ends are found by key first: either may be crowded.
std::string delete_edge(const Edge &edge)
{
    std::string out = "MATCH " + private_node("a", edge.from.parent, "n._a") + " MATCH " + private_node("b", edge.to.parent, "n._b");
    out += " WITH n, a, b MATCH (a)-[r:" + quote_name(edge.type) + "]->(b) WHERE r._fk = $own AND r._row = n._key DELETE r";
    return out;
}

/// Takes back what n got while the sync was declared otherwise: its label, its relationships, whatever their types.
std::string take_back(const Shape &shape, const std::string &scope, std::string_view condition)
{
    std::string out = "CALL (" + scope + ") { WITH " + scope + " WHERE ";
    out.append(condition).append("n._m <> $m\n");
    out += "  CALL (n) { MATCH (n)-[r]-() WHERE r._fk IS NOT NULL AND r._row IS NULL"
           " AND CASE WHEN r._in THEN endNode(r) ELSE startNode(r) END = n DELETE r }\n";
    for (const auto &parent : shape.parents) { // if it was an edge
        out += "  CALL (n) { WITH n WHERE n._a IS NOT NULL MATCH " + private_node("a", parent, "n._a");
        out += "-[r]->() WHERE r._fk = $own AND r._row = n._key DELETE r }\n";
    }
    return out + "  REMOVE n:$([l IN [substring(n._m, 8)] WHERE l <> '']) }\n";
}

/// The relationships that the row itself made; those that its children made stay.
std::string delete_own(const Shape &shape, const std::string &scope, std::string_view condition)
{
    std::string out;
    for (std::size_t at = 0; at < shape.relations.size(); ++at) {
        const auto &relation = shape.relations[at];
        out += "CALL (" + scope + ") { MATCH (n)" + arrow(relation, "r:" + quote_name(relation.type)) + "() WHERE ";
        out.append(condition).append("r._fk = $fk" + number(at) + " DELETE r }\n");
    }
    if (shape.edge) {
        out += "CALL (" + scope + ") { WITH " + scope + " WHERE ";
        out.append(condition).append("n._a IS NOT NULL " + delete_edge(*shape.edge) + " }\n");
    }
    return out;
}

constexpr std::string_view return_applied = "RETURN count(*) - count(newer) AS applied, max(newer) AS newer";

/// One subquery per foreign key for what is to go, one for what is to be: a row without parent would else end the row.
std::string relate(const Relation &relation, std::size_t at)
{
    const auto type = quote_name(relation.type);
    const auto id = "$fk" + number(at);
    const auto parent = "row.f" + number(at);
    std::string out = "CALL (n, row, newer) { MATCH (n)" + arrow(relation, "r:" + type) + "(x) WHERE newer IS NULL AND r._fk = " + id;
    out += " AND (" + parent + " IS NULL OR x._key <> " + parent + ") DELETE r }\n";
    out += "CALL (n, row, newer) { WITH n, row, newer WHERE newer IS NULL AND " + parent + " IS NOT NULL\n";
    out += "  MERGE " + private_node("x", relation.parent, parent) + '\n';
    if (!relation.stub_label.empty()) {
        out += "  FOREACH (_ IN CASE WHEN x._v IS NULL AND x._m IS NULL THEN [1] ELSE [] END |";
        out += " SET x:" + quote_name(relation.stub_label) + ", x._m = $stub" + number(at) + ")\n";
    }
    return out + "  MERGE (n)" + arrow(relation, ":" + type + " {_fk: " + id + (relation.incoming ? ", _in: true" : "") + "}") + "(x) }\n";
}

constexpr std::string_view unless_newer = "newer IS NULL AND ";

/// Only for rows that are not stale. FOREACH costs less than a subquery, but can neither match nor read.
std::string write(const std::string &scope, const std::string &updates)
{
    return "FOREACH (_ IN CASE WHEN newer IS NULL THEN [1] ELSE [] END | " + updates + ")\nWITH " + scope + '\n';
}

std::string upsert_node(const Shape &shape, const std::vector<Field> &fields)
{
    std::string out = "UNWIND $rows AS row\nMERGE " + private_node("n", shape.private_label, "row.p._key") + '\n';
    out += "WITH n, row, CASE WHEN n._v >= row.p._v THEN n._v END AS newer\n";
    out += take_back(shape, "n, newer", unless_newer);
    out += write("n, row, newer", "SET n = row.p" + set_natives("n", fields) + ", n:" + quote_name(shape.label));
    for (std::size_t at = 0; at < shape.relations.size(); ++at)
        out += relate(shape.relations[at], at);
    return out.append(return_applied);
}

std::string upsert_edge(const Shape &shape, const Edge &edge, const std::vector<Field> &fields)
{
    std::string out = "UNWIND $rows AS row\nMERGE " + private_node("n", shape.private_label, "row.k") + '\n';
    out += "WITH n, row, CASE WHEN n._v >= row.v THEN n._v END AS newer\n";
    out += take_back(shape, "n, newer", unless_newer);
    out += "CALL (n, row, newer) { WITH n, row, newer WHERE newer IS NULL"
           " AND (n._a <> row.f0 OR n._b <> row.f1 OR row.f0 IS NULL OR row.f1 IS NULL)\n  ";
    out += delete_edge(edge) + " }\n";
    out += write("n, row, newer", "SET n = {_key: row.k, _v: row.v, _m: $m, _a: row.f0, _b: row.f1}");
    out += "CALL (row, newer) { WITH row, newer WHERE newer IS NULL AND row.f0 IS NOT NULL AND row.f1 IS NOT NULL\n";
    out += "  MERGE " + private_node("a", edge.from.parent, "row.f0") + '\n';
    out += "  MERGE " + private_node("b", edge.to.parent, "row.f1") + '\n';
    out += "  MERGE (a)-[r:" + quote_name(edge.type) + " {_fk: $own, _row: row.k}]->(b)\n";
    out += "  SET r = row.p, r._fk = $own, r._row = row.k" + set_natives("r", fields) + " }\n";
    return out.append(return_applied);
}

std::string remove_label(const Shape &shape) { return shape.label.empty() ? "" : " REMOVE n:" + quote_name(shape.label); }

std::string remove_entity(const Shape &shape)
{
    std::string out = "UNWIND $rows AS key\nMERGE " + private_node("n", shape.private_label, "key") + '\n';
    out += "WITH n, CASE WHEN n._v >= $v THEN n._v END AS newer\n";
    out += take_back(shape, "n, newer", unless_newer);
    out += delete_own(shape, "n, newer", unless_newer);
    out += write("newer", "SET n = {_key: n._key, _v: $v, _deleted: timestamp()}" + remove_label(shape));
    return out.append(return_applied);
}

/// What others still refer to becomes a stub, so that their relationships survive until they go themselves.
std::string purge_entities(const Shape &shape)
{
    std::string out = "MATCH (n:" + quote_name(shape.private_label) + ") WHERE n._v IS NOT NULL WITH n LIMIT $limit\n";
    out += take_back(shape, "n", "");
    out += delete_own(shape, "n", "");
    out += "CALL (n) { WITH n WHERE EXISTS { (n)--() } SET n = {_key: n._key}" + remove_label(shape) + " }\n";
    out += "CALL (n) { WITH n WHERE NOT EXISTS { (n)--() } DELETE n }\n";
    return out + "RETURN count(*) AS count";
}

/// Nobody refers to this name any more (the purge's own option "forsaken"), so its stubs go as well.
std::string purge_name(const Shape &shape)
{
    std::string out = "MATCH (n:" + quote_name(shape.private_label) + ") WITH n LIMIT $limit\n";
    out += take_back(shape, "n", "");
    out += delete_own(shape, "n", "");
    return out + "DETACH DELETE n\nRETURN count(*) AS count";
}

std::string prefix(const Shape &shape, const std::string &statement)
{
    std::string out = R"({"statement":)";
    json::append_string(out, statement);
    out += R"(,"parameters":{)";
    const auto add = [&](const std::string &name, const std::string &value) {
        out += '"' + name + "\":";
        json::append_string(out, value);
        out += ',';
    };
    add("m", shape.mark);
    add("own", shape.name);
    for (std::size_t at = 0; at < shape.relations.size(); ++at) {
        add("fk" + number(at), shape.relations[at].id);
        if (!shape.relations[at].stub_label.empty())
            add("stub" + number(at), "00000000" + shape.relations[at].stub_label);
    }
    return out;
}

} // namespace

std::unique_ptr<const Compiled> compile_source(const mapping::Source &source)
{
    auto compiled = std::make_unique<Compiled>();
    auto &shape = compiled->shape = read_shape(source);
    for (const auto &relation : shape.relations)
        compiled->links.push_back(relation.link);
    if (shape.edge)
        compiled->links = {shape.edge->from.link, shape.edge->to.link};
    json::append_string(compiled->json_mark, shape.mark);
    compiled->transform = mapping::transform_place(source);
    if (compiled->transform && source.options.contains("properties"))
        throw std::invalid_argument{"options \"transform\" and \"properties\" exclude each other"};
    if (!compiled->transform)
        compiled->fields = make_fields(source.columns, shape.properties);
    compiled->upsert = prefix(shape, shape.edge ? upsert_edge(shape, *shape.edge, compiled->fields) : upsert_node(shape, compiled->fields));
    compiled->inspect = prefix(shape, inspect_statement(shape, compiled->fields));
    compiled->remove = prefix(shape, remove_entity(shape));
    compiled->purge = prefix(shape, source.options.contains("forsaken") ? purge_name(shape) : purge_entities(shape));
    return compiled;
}

std::vector<std::string> schema_statements(const Shape &shape)
{
    std::set<std::string> labels{shape.private_label};
    for (const auto &relation : shape.relations)
        labels.insert(relation.parent);
    if (shape.edge)
        labels.insert({shape.edge->from.parent, shape.edge->to.parent});
    std::vector<std::string> statements;
    const auto add = [&](const std::string &what, const std::string &label, const std::string &rest) {
        statements.push_back("CREATE " + what + hash(label) + " IF NOT EXISTS FOR (n:" + quote_name(label) + ") " + rest);
    };
    for (const auto &label : labels)
        add("CONSTRAINT autosync_", label, "REQUIRE n._key IS UNIQUE");
    add("INDEX autosync_deleted_", shape.private_label, "ON (n._deleted)");
    return statements;
}

std::string enumerate_statement(const Shape &shape, bool from_start)
{
    return "MATCH (n:" + quote_name(shape.private_label) + ") WHERE n._key " + (from_start ? ">=" : ">") +
           " $after AND n._v IS NOT NULL AND n._deleted IS NULL RETURN n._key AS key ORDER BY key LIMIT $limit";
}

std::string collect_statement(const Shape &shape)
{
    return "MATCH (n:" + quote_name(shape.private_label) +
           ") WHERE n._deleted < timestamp() - $age AND NOT EXISTS { (n)--() } WITH n LIMIT $limit DELETE n RETURN count(*) AS count";
}

std::vector<std::string> stub_statements(const Shape &shape)
{
    std::set<std::string> labels(shape.parents.begin(), shape.parents.end());
    labels.insert(shape.private_label);
    const auto when_empty =
        "OPTIONAL MATCH (n:" + quote_name(shape.private_label) + ") WHERE n._v IS NOT NULL WITH n LIMIT 1 WITH n WHERE n IS NULL\n";
    const std::string remove = ") WHERE p._v IS NULL AND NOT EXISTS { (p)--() } WITH p LIMIT $limit DELETE p RETURN count(*) AS count";
    std::vector<std::string> statements;
    for (const auto &label : labels)
        statements.push_back(when_empty + "MATCH (p:" + quote_name(label) + remove);
    return statements;
}

namespace {

void append_given(std::string &out, const Compiled &compiled, const mapping::Row &row)
{
    if (!compiled.transform) {
        append_properties(out, compiled.fields, row);
        return;
    }
    static constexpr std::string_view own[] = {"_*"};
    const auto *const given = *compiled.transform < row.size() ? std::get_if<std::string>(&row[*compiled.transform]) : nullptr;
    if (given == nullptr) // of a removed row the key is all there is
        return;
    if (const auto members = mapping::members_of(*given, own); !members.empty())
        out.append(",").append(members);
}

} // namespace

void append_row(std::string &out, const Compiled &compiled, const mapping::Change &change, std::int64_t version)
{
    const auto &shape = compiled.shape;
    const auto identity = [&](std::string_view key_name, std::string_view version_name) {
        out += key_name;
        json::append_string(out, change.key);
        out += version_name;
        json::append_integer(out, version);
    };
    if (shape.edge) {
        identity(R"({"k":)", R"(,"v":)");
        out += R"(,"p":{)";
        const auto start = out.size();
        append_given(out, compiled, change.row);
        if (out.size() > start)
            out.erase(start, 1); // its leading comma
    } else {
        identity(R"({"p":{"_key":)", R"(,"_v":)");
        out += R"(,"_m":)";
        out += compiled.json_mark;
        append_given(out, compiled, change.row);
    }
    out += '}';
    append_natives(out, compiled.fields, change.row);
    std::size_t at = 0;
    for (const auto link : compiled.links) {
        if (link < change.links.size() && change.links[link]) {
            out += ",\"f" + number(at) + "\":";
            json::append_string(out, *change.links[link]);
        }
        ++at;
    }
    out += '}';
}

} // namespace autosync::targets::neo4j
