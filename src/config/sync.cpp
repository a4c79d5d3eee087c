#include "config/sync.hpp"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <tuple>

#include "config/catalog.hpp"
#include "config/computed.hpp"
#include "config/foreign_keys.hpp"
#include "config/keys.hpp"
#include "config/masking.hpp"
#include "config/options.hpp"
#include "config/target.hpp"
#include "config/versions.hpp"
#include "pg/bridge.hpp"

namespace autosync::config {

namespace {

void refuse_kind(const Table &table)
{
    const auto refuse = [&](const std::string &what, const std::string &hint) {
        const bool passing = table.persistence == RELPERSISTENCE_TEMP; // its schema's name means nothing
        throw pg::Failure{ERRCODE_WRONG_OBJECT_TYPE, "cannot sync " + what + " " + (passing ? '"' + table.name + '"' : shown(table)), {}, hint};
    };
    switch (table.kind) {
    case RELKIND_RELATION:
    case RELKIND_PARTITIONED_TABLE:
        break;
    case RELKIND_VIEW:
        refuse("view", "Changes happen in tables: sync those that the view reads.");
        break;
    case RELKIND_MATVIEW:
        refuse("materialized view", "Changes happen in tables: sync those that the view reads.");
        break;
    case RELKIND_FOREIGN_TABLE:
        refuse("foreign table", "Its rows change without PostgreSQL seeing it: sync the table where it lives.");
        break;
    default:
        refuse("relation", "Only tables can be synced.");
    }
    if (table.persistence == RELPERSISTENCE_TEMP)
        refuse("temporary table", "Only its own session can read it.");
    if (table.schema == "autosync" || table.schema == "pg_catalog" || table.schema == "information_schema")
        refuse("system table", "");
}

/// Those that make the vectors and ids of points.
std::vector<const Attribute *> columns_of_vectors(const Table &table, const mapping::Options &options)
{
    std::vector<const Attribute *> found;
    if (gives_vectors(options))
        for (const auto &column : choose_key(table, options))
            found.push_back(table.attribute(column.number));
    for (const auto *const option : {"embed", "vector"})
        if (const auto value = options.find(option); value != options.end())
            for (const auto &[vector, columns] : parse_vectors(value->second))
                std::ranges::copy(named_columns(table, option, columns), std::back_inserter(found));
    return found;
}

/// The columns that are read: all, or `columns`, or all but `exclude`, or `payload`; and those that make vectors.
std::vector<const Attribute *> sent_columns(const Table &table, const mapping::Options &options)
{
    const auto columns = options.find("columns");
    const auto exclude = options.find("exclude");
    if (columns != options.end() && exclude != options.end())
        throw pg::Failure{
            ERRCODE_INVALID_PARAMETER_VALUE, "options \"columns\" and \"exclude\" exclude each other", {}, "Name what is sent, or what is not."};
    const auto named = [&](const char *option) {
        const auto found = options.find(option);
        return found == options.end() ? std::vector<const Attribute *>{} : named_columns(table, option, found->second);
    };
    const auto chosen = options.contains("payload") ? named("payload") : named("columns");
    const auto excluded = named("exclude");
    const auto of_vectors = columns_of_vectors(table, options);
    const auto has = [](const auto &list, const auto &item) { return std::ranges::find(list, item) != list.end(); };
    std::vector<const Attribute *> sent;
    for (const auto &attribute : table.attributes)
        if (has(of_vectors, &attribute) || (chosen.empty() ? !has(excluded, &attribute) : has(chosen, &attribute)))
            sent.push_back(&attribute);
    return sent;
}

/// What is known of a sync whatever its options say.
Sync outline(const Table &table, const std::string &target, const mapping::Options &options)
{
    Sync sync;
    sync.table = table.oid;
    sync.owner = table.owner;
    sync.partitioned = table.kind == RELKIND_PARTITIONED_TABLE;
    sync.schema = table.schema;
    sync.name = table.name;
    sync.target = target;
    sync.options = options;
    sync.source.name = source_name(table.schema, table.name);
    sync.source.table = table.name;
    sync.source.options = options;
    return sync;
}

std::string kind_of_target(const std::string &target)
{
    const char *const name = target.c_str();
    const Oid server = pg::call([name] { return get_foreign_server_oid(name, true); });
    return OidIsValid(server) ? kind_of_server(server) : std::string{};
}

/// Throws pg::Failure (or std::invalid_argument for a malformed value).
void complete(Sync &sync, Catalog &catalog, const Table &table)
{
    refuse_kind(table);
    sync.key = choose_key(table, sync.options);
    for (const auto &column : sync.key)
        sync.source.key.push_back(column.name);
    sync.deleted = deleted_condition(table, sync.options);
    sync.removes = removal_condition(sync.options);
    sync.version = version_expression(table, sync.options);
    const auto masks = column_masks(table, sync.key, sync.options);
    for (const auto *const attribute : sent_columns(table, sync.options)) {
        const auto mask = masks.find(attribute->name);
        sync.columns.push_back(attribute->number);
        sync.column_types.push_back(attribute->type);
        sync.masks.push_back(mask == masks.end() ? Mask{} : mask->second);
        sync.source.columns.push_back({attribute->name, mask == masks.end() ? attribute->mapped : mapping::Type{}}); // what stands for it is a text
    }
    const auto kind = kind_of_target(sync.target);
    sync.transform_filters = kind != "atproto"; // whose records know by themselves
    for (auto &[column, expression] : computed_values(catalog, table, sync.target, kind, sync.options)) {
        sync.source.computed.push_back(std::move(column));
        sync.expressions.push_back(std::move(expression));
    }
    if (gives_vectors(sync.options))
        return; // foreign keys mean nothing to it
    auto links = references(catalog, table, sync.target);
    std::erase_if(links, [&](const Reference &reference) { // else its parent's key would tell what is masked
        return std::ranges::any_of(reference.link.columns, [&](const auto &column) { return masks.contains(column); });
    });
    sync.source.join_table = arrange_join_table(table, sync.key, links);
    for (auto &[link, reader] : links) {
        sync.source.links.push_back(std::move(link));
        sync.links.push_back(std::move(reader));
    }
}

Sync declared(Catalog &catalog, const Table &table, const DeclaredTrigger &trigger)
{
    const auto &[target, options] = trigger.declaration;
    Sync sync = outline(table, target, options);
    sync.trigger = trigger.oid;
    sync.enabled = trigger.enabled == TRIGGER_FIRES_ON_ORIGIN || trigger.enabled == TRIGGER_FIRES_ALWAYS;
    sync.has_truncate_trigger = catalog.companion(table.oid, target) != nullptr;
    sync.problem = trigger.problem;
    if (!sync.problem.empty())
        return sync;
    try {
        complete(sync, catalog, table);
    } catch (const pg::Failure &failure) {
        sync.problem = failure.what();
    } catch (const std::invalid_argument &error) {
        sync.problem = error.what();
    }
    return sync;
}

} // namespace

const std::string &entity_type(const Sync &sync)
{
    const auto option = sync.options.find("entity_type");
    return option == sync.options.end() || option->second.empty() ? sync.name : option->second;
}

Declaration read_arguments(const Trigger &trigger) { return parse_arguments({trigger.tgargs, trigger.tgargs + trigger.tgnargs}); }

std::vector<Sync> load_syncs()
{
    Catalog catalog;
    std::vector<Sync> syncs;
    for (const auto &trigger : catalog.triggers())
        if (TRIGGER_FOR_ROW(trigger.type))
            if (const auto *const table = catalog.table(trigger.table))
                syncs.push_back(declared(catalog, *table, trigger));
    std::ranges::stable_sort(syncs, [](const Sync &a, const Sync &b) { return std::tie(a.table, a.target) < std::tie(b.table, b.target); });
    return syncs;
}

std::optional<Sync> load_sync(Oid oid, const std::string &target)
{
    Catalog catalog;
    const auto *const trigger = catalog.sync(oid, target);
    const auto *const table = catalog.table(oid);
    if (trigger == nullptr || table == nullptr)
        return std::nullopt;
    return declared(catalog, *table, *trigger);
}

Sync describe_sync(Oid oid, const std::string &target, const mapping::Options &options)
{
    Catalog catalog;
    const auto *const table = catalog.table(oid);
    if (table == nullptr)
        throw pg::Failure{ERRCODE_UNDEFINED_TABLE, "relation with OID " + std::to_string(oid) + " does not exist"};
    Sync sync = outline(*table, target, options);
    if (const auto *const trigger = catalog.sync(oid, target))
        sync.trigger = trigger->oid;
    sync.has_truncate_trigger = catalog.companion(oid, target) != nullptr;
    complete(sync, catalog, *table);
    return sync;
}

} // namespace autosync::config
