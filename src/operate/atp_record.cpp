// to_atp_record(): what a row would be published as.

#include "config/sync.hpp"
#include "config/target.hpp"
#include "operate/access.hpp"
#include "operate/key.hpp"
#include "worker/lone_record.hpp"
#include "worker/read.hpp"

namespace autosync::operate {

namespace {

/// The sync that is meant: that to the target, or the only one to a target of this kind.
config::Sync require_record_sync(Oid source, const std::optional<std::string> &target)
{
    for (const auto &name : targets_of_source(source, target)) {
        if (config::kind_of_server(require_target(name)) != "atproto")
            continue;
        if (auto sync = config::load_sync(source, name))
            return std::move(*sync);
    }
    throw pg::Failure{ERRCODE_UNDEFINED_OBJECT, "table " + source_name(source) + " is not synced to a target of the AT Protocol"};
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_to_atp_record)
{
    operate::require_arguments(fcinfo, {"source", "key"});
    const Oid source = DatumGetObjectId(fcinfo->args[0].value);
    const auto given = pg::text_argument(fcinfo, 1);
    operate::require_table(source);
    const auto sync = operate::require_record_sync(source, operate::optional_name(fcinfo, 2));
    if (!sync.problem.empty())
        throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "table " + operate::source_name(source) + " cannot be delivered as declared", sync.problem};
    const auto key = operate::parse_key(sync, given);
    worker::Reader reader{sync};
    const worker::Wanted wanted[] = {{key.text, key.columns}};
    std::size_t done = 0;
    const auto rows = reader.read_keys(wanted, std::size_t{1} << 30, &done);
    const auto &row = rows.at(0);
    if (!row.problem.empty())
        throw pg::Failure{ERRCODE_FDW_ERROR, "this row cannot be published", row.problem};
    const auto instance = operate::require_instance();
    std::string record;
    {
        const pg::ActingAs owner{pg::extension_owner(), false};
        const auto context = worker::lone_record(std::stoll(instance), sync, row.change, key.text);
        record = context->intents.empty() ? "" : context->intents.front().record;
    }
    if (record.empty())
        PG_RETURN_NULL();
    const char *const raw = record.c_str();
    const auto size = static_cast<int>(record.size());
    return pg::call([raw, size] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(pg_any_to_server(raw, size, PG_UTF8))); });
}
