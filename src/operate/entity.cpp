#include "operate/entity.hpp"

#include "operate/access.hpp"

namespace autosync::operate {

std::optional<Entity> entity_of(FunctionCallInfo fcinfo)
{
    require_arguments(fcinfo, {"source", "key", "target"});
    const Oid source = DatumGetObjectId(fcinfo->args[0].value);
    const std::string key = pg::text_argument(fcinfo, 1);
    const std::string name = pg::name_argument(fcinfo, 2);
    require_table(source);
    (void) require_target_usage(name);
    (void) targets_of_source(source, name);
    auto sync = config::load_sync(source, name);
    auto target = sync ? config::load_target(name, sync->owner) : std::nullopt;
    if (!target)
        return std::nullopt;
    if (const auto &problem = sync->problem.empty() ? target->problem : sync->problem; !problem.empty())
        throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "table " + source_name(source) + " cannot be delivered as declared", problem};
    auto parsed = parse_key(*sync, key);
    return Entity{source, std::move(*sync), std::move(*target), std::move(parsed)};
}

worker::ReadRow read_now(const Entity &entity)
{
    worker::Reader reader{entity.sync};
    const worker::Wanted wanted[] = {{entity.key.text, entity.key.columns}};
    std::size_t done = 0;
    const auto read = [&] {
        try {
            return reader.read_keys(wanted, std::size_t{1} << 30, &done);
        } catch (const worker::SyncTrouble &trouble) {
            throw pg::Failure{trouble.sqlstate(), trouble.what()};
        }
    };
    auto row = std::move(read().at(0));
    if (!row.problem.empty())
        throw pg::Failure{ERRCODE_FDW_ERROR, "this row cannot be delivered", row.problem};
    return row;
}

} // namespace autosync::operate
