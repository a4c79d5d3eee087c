#include "declaration/add_sync.hpp"

#include "capture/wake.hpp"
#include "declaration/adoption.hpp"
#include "declaration/arguments.hpp"
#include "declaration/jobs.hpp"
#include "declaration/triggers.hpp"
#include "operate/access.hpp"

namespace autosync::declaration {

bool is_synced(Oid table, const std::string &target)
{
    config::Catalog catalog;
    return catalog.sync(table, target) != nullptr;
}

Checked add_sync(Oid oid, const std::string &target, const config::Options &options, bool backfill)
{
    auto checked = check_sync(oid, target, options);
    config::Catalog catalog;
    create_triggers(*catalog.table(oid), target, options);
    if (backfill)
        request_job(target, oid, Job::backfill, "add_sync");
    capture::announce_at_commit();
    return checked;
}

} // namespace autosync::declaration

AUTOSYNC_SQL(autosync_add_sync)
{
    using namespace autosync;
    operate::require_arguments(fcinfo, {"source", "target", "options", "backfill", "if_not_exists"});
    const Oid source = DatumGetObjectId(fcinfo->args[0].value);
    const std::string target = pg::name_argument(fcinfo, 1);
    const auto options = declaration::options_argument(fcinfo, 2);
    const bool backfill = DatumGetBool(fcinfo->args[3].value);
    const bool if_not_exists = DatumGetBool(fcinfo->args[4].value);
    operate::require_table(source);
    (void)operate::require_target_usage(target);
    const pg::ActingAs caller{GetUserId(), false}; // for its search_path
    if (declaration::is_synced(source, target)) {
        const std::string message = "table " + operate::source_name(source) + " is already synced to target \"" + target + "\"";
        if (!if_not_exists)
            throw pg::Failure{ERRCODE_DUPLICATE_OBJECT, message, {}, "Change its options with autosync.alter_sync()."};
        pg::report(NOTICE, ERRCODE_DUPLICATE_OBJECT, message + ", skipping");
        PG_RETURN_VOID();
    }
    declaration::notice_unless_adopted();
    (void)declaration::add_sync(source, target, options, backfill);
    PG_RETURN_VOID();
}
