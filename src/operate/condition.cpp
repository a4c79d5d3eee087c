#include "operate/condition.hpp"

#include <cstdlib>

#include "operate/access.hpp"

namespace autosync::operate {

namespace {

/// Whether the text, as it stands, is one expression: nothing else that a SELECT may have, and no parenthesis that ends somebody else's.
bool one_expression(const std::string &condition)
{
    const std::string statement = "SELECT " + condition;
    const char *const text = statement.c_str();
    return pg::call([text] {
        const List *const statements = raw_parser(text, RAW_PARSE_DEFAULT);
        if (list_length(statements) != 1)
            return false;
        const auto *const parsed = linitial_node(RawStmt, statements)->stmt;
        if (!IsA(parsed, SelectStmt))
            return false;
        const auto *const select = reinterpret_cast<const SelectStmt *>(parsed);
        return select->op == SETOP_NONE && list_length(select->targetList) == 1 && linitial_node(ResTarget, select->targetList)->name == nullptr &&
               select->fromClause == NIL && select->whereClause == nullptr && select->groupClause == NIL && select->havingClause == nullptr &&
               select->sortClause == NIL && select->limitCount == nullptr && select->limitOffset == nullptr && select->lockingClause == NIL &&
               select->intoClause == nullptr && select->windowClause == NIL && select->withClause == nullptr && select->distinctClause == NIL;
    });
}

void require_condition(const std::string &condition)
{
    constexpr const char *help = "Write what would stand behind WHERE, without the word itself.";
    bool fine = false;
    try {
        fine = one_expression(condition);
    } catch (const pg::Error &error) {
        // Raised anew, because its position points into a statement that the user has not written.
        throw pg::Failure{error.sqlstate(), "where_clause is not a condition: " + std::string{error.what()}, "It is: " + condition, help};
    }
    if (!fine)
        throw pg::Failure{ERRCODE_SYNTAX_ERROR, "where_clause must be one condition", "It is: " + condition, help};
}

/// "Seq Scan on t  (cost=0.00..35.50 rows=2550 width=4)" -> 2550
std::int64_t planned_rows(const std::string &plan)
{
    const auto start = plan.find(" rows=");
    return start == std::string::npos ? 0 : std::strtoll(plan.c_str() + start + 6, nullptr, 10);
}

} // namespace

std::int64_t estimate_rows(Oid table, const std::optional<std::string> &condition)
{
    struct Place {
        Oid owner;
        const char *schema;
        const char *name;
    };
    const auto place = pg::call([table] {
        Relation const relation = relation_open(table, AccessShareLock);
        const Place found{relation->rd_rel->relowner, get_namespace_name(RelationGetNamespace(relation)), pstrdup(RelationGetRelationName(relation))};
        relation_close(relation, NoLock);
        return found;
    });
    std::string sql = "EXPLAIN SELECT 1 FROM " + pg::quote_qualified(place.schema, place.name);
    if (condition) {
        require_condition(*condition);
        sql += " WHERE (" + *condition + "\n)";
    }
    const pg::ActingAs owner{place.owner};
    return planned_rows(pg::execute_one(sql).value_or(""));
}

} // namespace autosync::operate
