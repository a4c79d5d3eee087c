#include "operate/condition.hpp"

#include <cstdlib>

#include "operate/access.hpp"
#include "pg/expression.hpp"

namespace autosync::operate {

namespace {

void require_condition(const std::string &condition)
{
    constexpr const char *help = "Write what would stand behind WHERE, without the word itself.";
    bool fine = false;
    try {
        fine = pg::is_one_expression(condition);
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
