// What the graph holds of one row beside what it would hold. Neo4j itself makes values of both, so that they are written alike.
#include "targets/neo4j_mapping.hpp"

namespace autosync::targets::neo4j {
namespace {

std::string node(const std::string &variable, const std::string &label, const std::string &key)
{
    return '(' + variable + ':' + quote_name(label) + " {_key: " + key + "})";
}

std::string held_by(const Relation &relation, const std::string &id)
{
    const std::string inside = "r:" + quote_name(relation.type);
    return "[(n)" + (relation.incoming ? "<-[" + inside + "]-" : "-[" + inside + "]->") + "(x) WHERE r._fk = " + id + " | x._key]";
}

std::string properties(const std::vector<Field> &fields)
{
    std::string out = "p {.*";
    for (const auto &field : fields)
        if (field.native)
            out += ", " + field.cypher_name + ": " + native_value(field);
    return out + '}';
}

} // namespace

std::string native_value(const Field &field)
{
    const bool is_list = field.type.kind == mapping::Kind::list;
    const auto function = std::string(native_function(is_list ? field.type.element : field.type.kind));
    const auto parameter = "row.t" + std::to_string(*field.native);
    const auto native = is_list ? "[e IN " + parameter + " | " + function + "(e)]" : function + '(' + parameter + ')';
    return "coalesce(" + native + ", row.p." + field.cypher_name + ')';
}

std::string inspect_statement(const Shape &shape, const std::vector<Field> &fields)
{
    std::string out = "UNWIND $rows AS row WITH row, row.p AS p\nOPTIONAL MATCH " + node("n", shape.private_label, shape.edge ? "row.k" : "row.p._key") +
                      " WHERE n._v IS NOT NULL AND n._deleted IS NULL\n";
    if (shape.edge) {
        const auto &edge = *shape.edge;
        out += "OPTIONAL MATCH " + node("a", edge.from.parent, "n._a") + "-[r:" + quote_name(edge.type) + "]->" + node("b", edge.to.parent, "n._b") +
               " WHERE r._fk = $own AND r._row = n._key\n";
        return out + "RETURN {ours: " + properties(fields) + ", theirs: properties(r), ends: [row.f0, row.f1], their_ends: [a._key, b._key]} AS held LIMIT 1";
    }
    std::string ours;
    std::string theirs;
    for (std::size_t at = 0; at < shape.relations.size(); ++at) {
        ours += (at > 0 ? ", " : "") + std::string{"row.f"} + std::to_string(at);
        theirs += (at > 0 ? ", " : "") + held_by(shape.relations[at], "$fk" + std::to_string(at));
    }
    out += "RETURN {ours: " + properties(fields) + ", theirs: properties(n), links: [" + ours + "], their_links: CASE WHEN n IS NULL THEN [] ELSE [" + theirs;
    return out + "] END, label: n:" + quote_name(shape.label) + "} AS held LIMIT 1";
}

} // namespace autosync::targets::neo4j
