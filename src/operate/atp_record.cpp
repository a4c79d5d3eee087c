// to_atp_record(): what a row would be published as.

#include "config/sync.hpp"
#include "config/target.hpp"
#include "operate/access.hpp"
#include "operate/key.hpp"
#include "targets/atproto_mapping.hpp"
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

std::string assigned_at(Oid source, const std::string &target, const std::string &key)
{
    const auto instance = require_instance();
    const pg::ActingAs owner{pg::extension_owner(), false};
    return pg::execute_one("SELECT to_char(coalesce((SELECT created_at FROM autosync.atp_map WHERE instance = $1::int8 AND target = $2::name"
                           " AND source = $3::oid AND key = $4), clock_timestamp()) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')",
                           {instance, target, std::to_string(source), key})
        .value_or("");
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
    const auto mapping = targets::atproto::compile_source(sync.source);
    if (row.change.removed || targets::atproto::did_of(*mapping, row.change).empty() || !targets::atproto::has_record(*mapping, row.change))
        PG_RETURN_NULL();
    const auto record = targets::atproto::record_of(*mapping, sync.source, row.change, operate::assigned_at(source, sync.target, key.text)).json;
    const char *const raw = record.c_str();
    const auto size = static_cast<int>(record.size());
    return pg::call([raw, size] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(pg_any_to_server(raw, size, PG_UTF8))); });
}
