#include "pg/expression.hpp"

#include "pg/spi.hpp"

namespace autosync::pg {

namespace {

/// An error that raw_parser() raises lies in the text it was given, not in the statement of the user.
void locate(void *text)
{
    if (const int position = geterrposition(); position > 0) {
        errposition(0);
        internalerrposition(position);
        internalerrquery(static_cast<const char *>(text));
    }
}

bool is_bare(const SelectStmt *select)
{
    return select->op == SETOP_NONE && select->distinctClause == NIL && select->fromClause == NIL && select->whereClause == nullptr &&
           select->groupClause == NIL && select->havingClause == nullptr && select->sortClause == NIL && select->limitCount == nullptr &&
           select->limitOffset == nullptr && select->lockingClause == NIL && select->intoClause == nullptr && select->windowClause == NIL &&
           select->withClause == nullptr;
}

} // namespace

bool is_one_expression(const std::string &text)
{
    std::string statement = "SELECT " + text;
    char *const parsed_text = statement.data();
    return call([parsed_text] {
        ErrorContextCallback context{error_context_stack, locate, parsed_text};
        error_context_stack = &context;
        const List *const statements = raw_parser(parsed_text, RAW_PARSE_DEFAULT);
        error_context_stack = context.previous;
        if (list_length(statements) != 1)
            return false;
        const auto *const parsed = linitial_node(RawStmt, statements)->stmt;
        if (!IsA(parsed, SelectStmt))
            return false;
        const auto *const select = reinterpret_cast<const SelectStmt *>(parsed);
        return is_bare(select) && list_length(select->targetList) == 1 && linitial_node(ResTarget, select->targetList)->name == nullptr;
    });
}

std::string condition_on_value(const std::string &condition, const std::string &value, const std::string &table)
{
    // As a function's result its name stands for the row as a whole, too.
    return "SELECT ((" + condition + "\n) IS TRUE) FROM pg_catalog.unnest(ARRAY[" + value + "]) AS " + quote(table);
}

} // namespace autosync::pg
