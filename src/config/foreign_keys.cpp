#include "config/foreign_keys.hpp"

#include <algorithm>
#include <set>

#include "config/keys.hpp"
#include "pg/bridge.hpp"
#include "pg/spi.hpp"

namespace autosync::config {

namespace {

struct ForeignKey {
    Oid parent;
    std::vector<AttrNumber> columns;
    std::vector<AttrNumber> referenced;
};

std::vector<ForeignKey> foreign_keys(Oid table)
{
    std::vector<ForeignKey> result;
    // A foreign key to a partitioned table has a row per partition of it besides its own: only its own counts.
    for (const auto &row : pg::execute(
             "SELECT c.confrelid, c.conkey, c.confkey FROM pg_catalog.pg_constraint c WHERE c.conrelid = $1::pg_catalog.oid AND c.contype = 'f' "
             "AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint p WHERE p.oid = c.conparentid AND p.conrelid = c.conrelid) "
             "ORDER BY c.conkey, c.conname",
             {std::to_string(table)}))
        result.push_back({static_cast<Oid>(std::stoul(*row[0])), numbers(*row[1]), numbers(*row[2])});
    return result;
}

/// Have values of these types the same canonical text and the same place in a composite key?
bool same_text(Oid child, Oid parent)
{
    const auto integer = [](Oid type) { return type == INT2OID || type == INT4OID || type == INT8OID; };
    const auto plain = [](Oid type) { return type == TEXTOID || type == VARCHAROID; };
    return child == parent || (integer(child) && integer(parent)) || (plain(child) && plain(parent));
}

/// The table under which the referenced rows are known at the target: a partition's rows belong to its partitioned table, unless it is synced itself.
const Table *parent_table(Catalog &catalog, Oid oid, const std::string &target)
{
    const Table *table = catalog.table(oid);
    while (table != nullptr && OidIsValid(table->partition_of) && catalog.sync(table->oid, target) == nullptr)
        table = catalog.table(table->partition_of);
    return table;
}

std::string joined(const std::vector<std::string> &names)
{
    std::string result;
    for (const auto &name : names)
        result.append(result.empty() ? "" : ",").append(name);
    return result;
}

/// nullopt: no link can be made, because the parent's rows have no key.
std::optional<Reference> reference(Catalog &catalog, const Table &table, const ForeignKey &foreign_key, const std::string &target)
{
    const Table *const referenced = catalog.table(foreign_key.parent);
    const Table *const parent = parent_table(catalog, foreign_key.parent, target);
    if (referenced == nullptr || parent == nullptr)
        return std::nullopt;
    const auto *const sync = catalog.sync(parent->oid, target);
    const mapping::Options options = sync == nullptr ? mapping::Options{} : sync->declaration.options;
    std::vector<KeyColumn> key;
    try {
        key = choose_key(*parent, options);
    } catch (const pg::Failure &) {
        return std::nullopt;
    } catch (const std::invalid_argument &) { // of a list that is none
        return std::nullopt;
    }

    Reference result;
    auto &[link, reader] = result;
    link.parent = source_name(parent->schema, parent->name);
    link.parent_table = parent->name;
    if (const auto label = options.find("label"); label != options.end())
        link.parent_label = label->second;
    reader.parent = parent->oid;
    for (std::size_t i = 0; i < foreign_key.columns.size(); ++i) {
        const auto *const child = table.attribute(foreign_key.columns[i]);
        const auto *const other = referenced->attribute(foreign_key.referenced[i]);
        link.columns.push_back(child->name);
        reader.join.emplace_back(child->name, other->name);
    }
    link.name = joined(link.columns);
    // When the foreign key holds just the parent's key, the parent need not be read.
    reader.from_columns = key.size() == foreign_key.columns.size();
    for (const auto &column : key) {
        reader.names.push_back(column.name);
        const auto at = std::ranges::find(reader.join, column.name, &std::pair<std::string, std::string>::second);
        const auto *const child = at == reader.join.end() ? nullptr : table.attribute(at->first);
        if (child == nullptr || !same_text(child->type, column.type))
            reader.from_columns = false;
        else
            reader.columns.push_back(child->number);
    }
    if (!reader.from_columns)
        reader.columns.clear();
    return result;
}

} // namespace

std::vector<Reference> references(Catalog &catalog, const Table &table, const std::string &target)
{
    std::vector<Reference> result;
    std::set<std::string> names;
    for (const auto &foreign_key : foreign_keys(table.oid)) {
        auto found = reference(catalog, table, foreign_key, target);
        if (!found)
            continue;
        if (!names.insert(found->link.name).second) { // the same columns point to two tables
            found->link.name += "->" + found->link.parent;
            const auto same = [&](const Reference &other) {
                return other.link.columns == found->link.columns && other.link.parent == found->link.parent;
            };
            if (std::ranges::any_of(result, same)) // or to one table twice, once by a partition of it
                continue;
        }
        result.push_back(std::move(*found));
    }
    return result;
}

bool arrange_join_table(const Table &table, const std::vector<KeyColumn> &key, std::vector<Reference> &references)
{
    if (references.size() != 2)
        return false;
    const auto &first = references[0].link.columns;
    const auto &second = references[1].link.columns;
    std::set<std::string> both{first.begin(), first.end()};
    both.insert(second.begin(), second.end());
    const bool exact = both.size() == key.size() && first.size() + second.size() == key.size() &&
                       std::ranges::all_of(key, [&](const KeyColumn &column) { return both.contains(column.name); });
    if (!exact || pg::execute_one("SELECT 1 FROM pg_catalog.pg_constraint WHERE confrelid = $1::pg_catalog.oid AND contype = 'f' LIMIT 1",
                                  {std::to_string(table.oid)}))
        return false;
    if (std::ranges::find(first, key.front().name) == first.end())
        std::swap(references[0], references[1]);
    return true;
}

} // namespace autosync::config
