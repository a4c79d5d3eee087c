#include "fuzz.hpp"
#include "targets/neo4j_mapping.hpp"

namespace autosync::fuzz {

using namespace targets::neo4j;

/// What is left of a statement without its names: everything between back-ticks, doubled ones included.
static std::string skeleton(std::string_view statement)
{
    std::string out;
    for (std::size_t at = 0; at < statement.size(); ++at) {
        if (statement[at] != '`') {
            out += statement[at];
            continue;
        }
        for (++at; at < statement.size(); ++at) {
            if (statement[at] != '`')
                continue;
            if (at + 1 < statement.size() && statement[at + 1] == '`')
                ++at;
            else
                break;
        }
        holds(at < statement.size()); // each name ends
        out += "`_`";
    }
    return out;
}

static std::vector<std::string> statements(const std::string &table, const std::string &column, const std::string &parent)
{
    using mapping::Kind;
    const mapping::Source source{"public." + table, table, {{"id", {Kind::integer}}, {column, {Kind::timestamp}}}, {}, {"id"},
                                 {{column, {column}, "public." + parent, parent, ""}}, false, {}};
    const auto compiled = compile_source(source);
    auto all = schema_statements(compiled->shape);
    all.insert(all.end(), {inspect_statement(compiled->shape, compiled->fields), collect_statement(compiled->shape),
                           enumerate_statement(compiled->shape, true), enumerate_statement(compiled->shape, false)});
    const auto stubs = stub_statements(compiled->shape);
    all.insert(all.end(), stubs.begin(), stubs.end());
    return all;
}

/// Names of tables, columns and parents, whatever they are, change nothing of a statement but the names in it.
FUZZ(cypher_names)
{
    Input input{bytes};
    const auto table = input.text();
    const auto column = input.text();
    const auto parent = input.text();
    std::vector<std::string> hostile;
    if (!accepts([&] { hostile = statements(table, column, parent); }))
        return;
    static const auto plain = statements("orders", "customer", "customers");
    holds(hostile.size() == plain.size() || parent == table);
    for (std::size_t i = 0; i < hostile.size() && hostile.size() == plain.size(); ++i) {
        holds(hostile[i].find("\\u") == std::string::npos);
        (void)skeleton(hostile[i]);
    }
}

} // namespace autosync::fuzz
