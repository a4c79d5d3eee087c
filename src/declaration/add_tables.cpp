// add_tables() and add_schema(): many syncs at once, and what was inferred from their foreign keys.

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "config/catalog.hpp"
#include "config/json.hpp"
#include "declaration/add_sync.hpp"
#include "declaration/adoption.hpp"
#include "declaration/arguments.hpp"
#include "operate/access.hpp"
#include "operate/rows.hpp"

namespace autosync::declaration {

namespace {

struct Order {
    std::string target;
    config::Options options;
    bool dry_run = false;
    bool skip = false; ///< what cannot be synced is reported, not raised
};

std::vector<Oid> parents(Oid table)
{
    std::vector<Oid> found;
    for (const auto &row :
         pg::execute("SELECT DISTINCT confrelid FROM pg_catalog.pg_constraint WHERE conrelid = $1::pg_catalog.oid AND contype = 'f' ORDER BY 1",
                     {std::to_string(table)}))
        found.push_back(static_cast<Oid>(std::stoul(*row[0])));
    return found;
}

/// Parents before children, else as given; cycles are cut where they are entered.
void visit(Oid table, const std::vector<Oid> &among, std::set<Oid> &seen, std::vector<Oid> &sorted)
{
    if (std::ranges::find(among, table) == among.end() || !seen.insert(table).second)
        return;
    for (const Oid parent : parents(table))
        visit(parent, among, seen, sorted);
    sorted.push_back(table);
}

std::vector<Oid> parents_first(const std::vector<Oid> &tables)
{
    std::set<Oid> seen;
    std::vector<Oid> sorted;
    for (const Oid table : tables)
        visit(table, tables, seen, sorted);
    return sorted;
}

void report_table(operate::Rows &rows, Oid table, const std::string &description, const std::string &status)
{
    pg::Cell label;
    pg::Cell relationships;
    if (const auto parsed = config::parse_json(description); parsed && parsed->is_object()) {
        if (const auto it = parsed->find("label"); it != parsed->end() && it->is_string())
            label = it->get<std::string>();
        if (const auto it = parsed->find("relationships"); it != parsed->end())
            relationships = it->dump();
    }
    rows.add({operate::source_name(table), label, relationships, status});
}

void add(operate::Rows &rows, Oid table, const Order &order)
{
    if (is_synced(table, order.target)) {
        report_table(rows, table, {}, "already synced");
        return;
    }
    std::string trouble;
    try {
        operate::require_table(table);
        const auto checked = order.dry_run ? check_sync(table, order.target, order.options) : add_sync(table, order.target, order.options, true);
        report_table(rows, table, checked.description, order.dry_run ? "not synced yet" : "synced");
        return;
    } catch (const pg::Failure &failure) { // raised by checks of ours, before anything was changed
        if (!order.skip)
            throw;
        trouble = failure.what();
    } catch (const std::invalid_argument &error) {
        if (!order.skip)
            throw;
        trouble = error.what();
    }
    report_table(rows, table, {}, "skipped: " + trouble);
}

void add_all(FunctionCallInfo fcinfo, const std::vector<Oid> &tables, const Order &order)
{
    operate::Rows rows{fcinfo};
    if (!order.dry_run)
        notice_unless_adopted();
    for (const Oid table : parents_first(tables))
        add(rows, table, order);
}

std::vector<std::string> array_argument(FunctionCallInfo fcinfo, int index, const std::string &type)
{
    struct Items {
        char **texts;
        int count;
    };
    const Datum array = fcinfo->args[index].value;
    const bool oids = type == "oid";
    const Items items = pg::call([=] {
        Items found{};
        Datum *elements = nullptr;
        bool *nulls = nullptr;
        const Oid element = oids ? REGCLASSOID : TEXTOID;
        deconstruct_array(DatumGetArrayTypeP(array), element, oids ? 4 : -1, oids, TYPALIGN_INT, &elements, &nulls, &found.count);
        found.texts = static_cast<char **>(palloc(sizeof(char *) * static_cast<std::size_t>(found.count + 1)));
        for (int i = 0; i < found.count; ++i) {
            if (nulls[i])
                pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "an element of the array is null");
            found.texts[i] = oids ? psprintf("%u", DatumGetObjectId(elements[i])) : TextDatumGetCString(elements[i]);
        }
        return found;
    });
    return {items.texts, items.texts + items.count};
}

std::vector<Oid> tables_of_schema(const std::string &schema, const std::vector<std::string> &except)
{
    std::vector<Oid> tables;
    std::set<std::string> excluded{except.begin(), except.end()};
    // Partitions follow their partitioned table; tables of an extension are its own business.
    for (const auto &row : pg::execute(
             "SELECT c.oid, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
             "WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d "
             "WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e') ORDER BY c.relname",
             {schema})) {
        const bool bare = excluded.erase(*row[1]) > 0;
        const bool qualified = excluded.erase(schema + "." + *row[1]) > 0;
        if (!bare && !qualified)
            tables.push_back(static_cast<Oid>(std::stoul(*row[0])));
    }
    if (!excluded.empty()) // a misspelt name would sync what was to stay
        throw pg::Failure{ERRCODE_UNDEFINED_TABLE,
                          "table \"" + *excluded.begin() + "\" of except_tables does not exist in schema \"" + schema + "\""};
    return tables;
}

} // namespace

} // namespace autosync::declaration

AUTOSYNC_SQL(autosync_add_tables)
{
    using namespace autosync;
    operate::require_arguments(fcinfo, {"sources", "target", "options", "dry_run"});
    std::vector<Oid> tables;
    for (const auto &oid : declaration::array_argument(fcinfo, 0, "oid"))
        tables.push_back(static_cast<Oid>(std::stoul(oid)));
    const declaration::Order order{pg::name_argument(fcinfo, 1), declaration::options_argument(fcinfo, 2), DatumGetBool(fcinfo->args[3].value),
                                   false};
    (void)operate::require_target_usage(order.target);
    const pg::ActingAs caller{GetUserId(), false}; // for its search_path
    declaration::add_all(fcinfo, tables, order);
    PG_RETURN_VOID();
}

AUTOSYNC_SQL(autosync_add_schema)
{
    using namespace autosync;
    operate::require_arguments(fcinfo, {"schema", "target", "except_tables", "options", "dry_run"});
    const std::string schema = pg::name_argument(fcinfo, 0);
    const char *const name = schema.c_str();
    (void)pg::call([name] { return get_namespace_oid(name, false); });
    const auto except = declaration::array_argument(fcinfo, 2, "text");
    const declaration::Order order{pg::name_argument(fcinfo, 1), declaration::options_argument(fcinfo, 3), DatumGetBool(fcinfo->args[4].value), true};
    (void)operate::require_target_usage(order.target);
    const pg::ActingAs caller{GetUserId(), false}; // for its search_path
    declaration::add_all(fcinfo, declaration::tables_of_schema(schema, except), order);
    PG_RETURN_VOID();
}
