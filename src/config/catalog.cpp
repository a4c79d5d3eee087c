#include "config/catalog.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "config/options.hpp"
#include "config/types.hpp"
#include "pg/bridge.hpp"
#include "pg/spi.hpp"

namespace autosync::config {

namespace {

Oid to_oid(const pg::Cell &cell) { return cell ? static_cast<Oid>(std::stoul(*cell)) : InvalidOid; }

std::optional<Table> read_table(Oid oid)
{
    const std::string id = std::to_string(oid);
    const auto rows =
        pg::execute("SELECT c.relowner, n.nspname, c.relname, c.relkind, c.relpersistence, "
                    "(SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid AND c.relispartition) "
                    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::pg_catalog.oid",
                    {id});
    if (rows.empty())
        return std::nullopt;
    Table table;
    table.oid = oid;
    table.owner = to_oid(rows[0][0]);
    table.schema = *rows[0][1];
    table.name = *rows[0][2];
    table.kind = rows[0][3]->front();
    table.persistence = rows[0][4]->front();
    table.partition_of = to_oid(rows[0][5]);
    for (const auto &row : pg::execute("SELECT attnum, attname, atttypid, atttypmod, attnotnull FROM pg_catalog.pg_attribute "
                                       "WHERE attrelid = $1::pg_catalog.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
                                       {id})) {
        Attribute &attribute = table.attributes.emplace_back();
        attribute.number = static_cast<AttrNumber>(std::stoi(*row[0]));
        attribute.name = *row[1];
        int32 typmod = std::stoi(*row[3]);
        attribute.type = base_type(to_oid(row[2]), typmod);
        attribute.not_null = row[4] == "t";
        attribute.mapped = type_of(attribute.type, typmod);
    }
    for (const auto &row :
         pg::execute("SELECT indkey, indnkeyatts, indisprimary, indimmediate FROM pg_catalog.pg_index WHERE indrelid = $1::pg_catalog.oid "
                     "AND indisunique AND indisvalid AND indpred IS NULL AND indexprs IS NULL ORDER BY indexrelid",
                     {id})) {
        UniqueIndex &index = table.indexes.emplace_back();
        index.columns = numbers(*row[0]);
        index.columns.resize(std::stoul(*row[1])); // without what it only includes
        index.primary = row[2] == "t";
        index.immediate = row[3] == "t";
    }
    return table;
}

/// The arguments of a trigger, each ended by a zero byte, from their hexadecimal form.
std::vector<std::string> split_arguments(const std::string &hex)
{
    std::vector<std::string> arguments(1);
    for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
        unsigned byte = 0;
        (void)std::from_chars(hex.data() + at, hex.data() + at + 2, byte, 16);
        if (byte == 0)
            arguments.emplace_back();
        else
            arguments.back() += static_cast<char>(byte);
    }
    arguments.pop_back();
    return arguments;
}

std::vector<DeclaredTrigger> read_triggers()
{
    std::vector<DeclaredTrigger> triggers;
    for (const auto &row : pg::execute(
             "SELECT oid, tgrelid, tgname, tgtype, tgenabled, pg_catalog.encode(tgargs, 'hex') FROM pg_catalog.pg_trigger "
             "WHERE tgfoid = pg_catalog.to_regprocedure('autosync.capture()') AND tgparentid = 0 AND NOT tgisinternal ORDER BY tgrelid, tgname",
             {})) {
        DeclaredTrigger &trigger = triggers.emplace_back();
        trigger.oid = to_oid(row[0]);
        trigger.table = to_oid(row[1]);
        trigger.name = *row[2];
        trigger.type = static_cast<int16>(std::stoi(*row[3]));
        trigger.enabled = row[4]->front();
        const auto arguments = split_arguments(*row[5]);
        try {
            trigger.declaration = parse_arguments(arguments);
        } catch (const pg::Failure &failure) {
            trigger.declaration.target = arguments.empty() ? std::string{} : arguments.front();
            trigger.problem = failure.what();
        }
    }
    return triggers;
}

} // namespace

const Attribute *Table::attribute(std::string_view wanted) const
{
    const auto found = std::ranges::find(attributes, wanted, &Attribute::name);
    return found == attributes.end() ? nullptr : &*found;
}

const Attribute *Table::attribute(AttrNumber wanted) const
{
    const auto found = std::ranges::find(attributes, wanted, &Attribute::number);
    return found == attributes.end() ? nullptr : &*found;
}

const Table *Catalog::table(Oid oid)
{
    auto found = tables_.find(oid);
    if (found == tables_.end())
        found = tables_.emplace(oid, read_table(oid)).first;
    return found->second ? &*found->second : nullptr;
}

const std::vector<DeclaredTrigger> &Catalog::triggers()
{
    if (!triggers_)
        triggers_ = read_triggers();
    return *triggers_;
}

const DeclaredTrigger *Catalog::sync(Oid table, std::string_view target)
{
    for (const auto &trigger : triggers())
        if (trigger.table == table && TRIGGER_FOR_ROW(trigger.type) && trigger.declaration.target == target)
            return &trigger;
    return nullptr;
}

const DeclaredTrigger *Catalog::companion(Oid table, std::string_view target)
{
    for (const auto &trigger : triggers())
        if (trigger.table == table && TRIGGER_FOR_TRUNCATE(trigger.type) && trigger.declaration.target == target)
            return &trigger;
    return nullptr;
}

Declaration parse_arguments(const std::vector<std::string> &arguments)
{
    if (arguments.empty() || arguments.front().empty())
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE,
                          "autosync.capture() needs the name of a target",
                          {},
                          "Write EXECUTE FUNCTION autosync.capture('target', 'option=value', …)."};
    Declaration declaration{arguments.front(), {}};
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        try {
            const auto [name, value] = split_argument(arguments[i]);
            if (!declaration.options.emplace(name, value).second)
                throw std::invalid_argument{"option \"" + name + "\" stands twice in the arguments of autosync.capture()"};
        } catch (const std::invalid_argument &error) {
            throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, error.what()};
        }
    }
    return declaration;
}

std::vector<AttrNumber> numbers(std::string_view text)
{
    std::vector<AttrNumber> result;
    const char *at = text.data();
    const char *const end = at + text.size();
    while (at < end) {
        AttrNumber number = 0;
        const auto [next, error] = std::from_chars(at, end, number);
        if (error == std::errc{})
            result.push_back(number);
        at = error == std::errc{} ? next : at + 1;
    }
    return result;
}

std::string source_name(const std::string &schema, const std::string &table)
{
    const auto part = [](const std::string &name) { return name.find('.') == std::string::npos ? name : '"' + name + '"'; };
    return part(schema) + "." + part(table);
}

} // namespace autosync::config
