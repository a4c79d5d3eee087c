// publish(), publish_as() and unpublish(): one entity by hand, as a mark that the worker's next round takes up.

#include <functional>

#include "atproto/syntax.hpp"
#include "capture/wake.hpp"
#include "config/target.hpp"
#include "operate/access.hpp"
#include "operate/key.hpp"
#include "outbox/event_id.hpp"
#include "outbox/forgotten.hpp"
#include "targets/history.hpp"

namespace autosync::operate {

namespace {

/// Marks made by hand have no chunk: they are counted within the session instead.
std::string next_event_id()
{
    static std::uint32_t marks = 0;
    const auto xid = pg::call([] { return U64FromFullTransactionId(GetTopFullTransactionId()); });
    return outbox::event_id(xid, outbox::hand_made, ++marks);
}

void mark(const std::string &instance, const std::string &target, Oid source, const std::string &key, const std::string &verb)
{
    pg::execute("INSERT INTO autosync.exceptions AS e (instance, target, source, key, event_id, operation, verb, status, attempts, correlation_id, origin,"
                " created_at, updated_at, next_attempt_at)"
                " VALUES ($1::int8, $2::name, $3::oid, $4, $5, $6, $6, 'PENDING', 0,"
                " nullif(current_setting('autosync.correlation_id', true), ''), nullif(current_setting('autosync.origin', true), ''),"
                " clock_timestamp(), clock_timestamp(), clock_timestamp())"
                " ON CONFLICT (instance, target, source, key) DO UPDATE SET event_id = excluded.event_id, operation = excluded.operation,"
                " verb = excluded.verb, status = 'PENDING', attempts = 0, last_error = NULL, request = NULL, answer = NULL, parent = NULL, parent_key = NULL,"
                " correlation_id = excluded.correlation_id, origin = excluded.origin, created_at = excluded.created_at,"
                " updated_at = excluded.updated_at, next_attempt_at = excluded.next_attempt_at",
                {instance, target, std::to_string(source), key, next_event_id(), verb});
}

using Decide = std::function<void(const std::string &instance, const std::string &target, const std::string &key)>;

/// `decide`: what is written down with the mark, as the extension's owner; of targets of `kind` only.
void mark_for_targets(FunctionCallInfo fcinfo, const std::string &verb, int target_argument = 2, const std::string &kind = {}, const Decide &decide = {})
{
    require_arguments(fcinfo, {"source", "key"});
    const Oid source = DatumGetObjectId(fcinfo->args[0].value);
    const std::string text = pg::text_argument(fcinfo, 1);
    const auto target = optional_name(fcinfo, target_argument);
    require_table(source);
    auto targets = targets_of_source(source, target);
    std::erase_if(targets, [&](const auto &name) { return !kind.empty() && config::kind_of_server(require_target(name)) != kind; });
    if (targets.empty())
        throw pg::Failure{ERRCODE_UNDEFINED_OBJECT, "table " + source_name(source) + " is not synced to a target of the AT Protocol"};
    const std::string instance = require_instance();
    for (const auto &name : targets) {
        (void) require_target_usage(name);
        const auto sync = config::load_sync(source, name);
        if (!sync)
            continue;
        if (sync->key.empty())
            throw pg::Failure{ERRCODE_INVALID_TABLE_DEFINITION, "table " + source_name(source) + " has no key", sync->problem};
        if (targets::keeps_history(config::kind_of_server(require_target(name)), sync->options))
            throw pg::Failure{ERRCODE_FEATURE_NOT_SUPPORTED, "target \"" + name + "\" is told of every event of table " + source_name(source),
                              "It holds no rows that could be published or taken back.", "replay() sends retained events again."};
        const auto key = parse_key(*sync, text);
        const pg::ActingAs owner{pg::extension_owner(), false};
        if (decide)
            decide(instance, name, key.text);
        mark(instance, name, source, key.text, verb);
        if (verb == "publish")
            outbox::recall(instance, name, source, key.text);
    }
    capture::wake_at_commit();
}

/// Whose record a row is from here on, whatever the row says; NULL: its own again.
void publish_as(FunctionCallInfo fcinfo)
{
    const auto did = optional_text(fcinfo, 2);
    if (did && !atproto::is_did(*did))
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "\"" + *did + "\" is no DID"};
    mark_for_targets(fcinfo, "publish", 3, "atproto", [&](const std::string &instance, const std::string &target, const std::string &key) {
        std::vector<pg::Cell> parameters{instance, target, std::to_string(DatumGetObjectId(fcinfo->args[0].value)), key};
        if (!did) {
            pg::execute("DELETE FROM autosync.atp_owners WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid AND key = $4", parameters);
            return;
        }
        parameters.emplace_back(*did);
        pg::execute("INSERT INTO autosync.atp_owners (instance, target, source, key, did) VALUES ($1::int8, $2::name, $3::oid, $4, $5)"
                    " ON CONFLICT (instance, target, source, key) DO UPDATE SET did = excluded.did",
                    parameters);
    });
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_publish)
{
    operate::mark_for_targets(fcinfo, "publish");
    PG_RETURN_VOID();
}

AUTOSYNC_SQL(autosync_unpublish)
{
    operate::mark_for_targets(fcinfo, "unpublish");
    PG_RETURN_VOID();
}

AUTOSYNC_SQL(autosync_publish_as)
{
    operate::publish_as(fcinfo);
    PG_RETURN_VOID();
}
