// diff(): field by field, what the row says and what the target holds.

#include "operate/access.hpp"
#include "operate/held.hpp"
#include "operate/key.hpp"
#include "operate/rows.hpp"
#include "operate/vectors.hpp"
#include "outbox/forgotten.hpp"
#include "worker/read.hpp"

namespace autosync::operate {

namespace {

/// From UTF-8, in which targets are spoken to, to the database's encoding.
pg::Cell to_server(const std::string &text)
{
    if (text.empty())
        return std::nullopt;
    const char *const raw = text.c_str();
    const auto size = static_cast<int>(text.size());
    return std::string{pg::call([raw, size] { return pg_any_to_server(raw, size, PG_UTF8); })};
}

worker::ReadRow read_now(const config::Sync &sync, const Key &key)
{
    worker::Reader reader{sync};
    const worker::Wanted wanted[] = {{key.text, key.columns}};
    std::size_t done = 0;
    try {
        auto rows = reader.read_keys(wanted, std::size_t{1} << 30, &done);
        return std::move(rows.at(0));
    } catch (const worker::SyncTrouble &trouble) {
        throw pg::Failure{trouble.sqlstate(), trouble.what()};
    }
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_diff)
{
    operate::require_arguments(fcinfo, {"source", "key", "target"});
    const Oid source = DatumGetObjectId(fcinfo->args[0].value);
    const std::string key_text = pg::text_argument(fcinfo, 1);
    const std::string name = pg::name_argument(fcinfo, 2);
    operate::require_table(source);
    (void) operate::require_target_usage(name);
    operate::Rows rows{fcinfo};
    (void) operate::targets_of_source(source, name);
    const auto sync = config::load_sync(source, name);
    const auto target = sync ? config::load_target(name, sync->owner) : std::nullopt;
    if (!target)
        PG_RETURN_VOID();
    if (const auto &problem = sync->problem.empty() ? target->problem : sync->problem; !problem.empty())
        throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "table " + operate::source_name(source) + " cannot be delivered as declared", problem};
    const auto key = operate::parse_key(*sync, key_text);
    auto row = operate::read_now(*sync, key);
    {
        const auto instance = std::stoll(operate::require_instance());
        const pg::ActingAs owner{pg::extension_owner(), false};
        if (outbox::is_forgotten(instance, name, source, key.text)) {
            row = {};
            row.change.key = key.text;
            row.change.removed = true;
        }
    }
    if (!row.problem.empty())
        throw pg::Failure{ERRCODE_FDW_ERROR, "this row cannot be delivered", row.problem};
    if (row.skip)
        PG_RETURN_VOID(); // whatever the target holds of it is to stay
    const auto held = operate::ask_for(*sync, *target, row.change, key.text, target->limits.request_timeout);
    if (held.problem.outcome != targets::Outcome::delivered)
        operate::fail_with(held.problem, name);
    for (const auto &[field, ours, theirs] : operate::differences(held))
        rows.add({operate::to_server(field), operate::to_server(ours), operate::to_server(theirs)});
    PG_RETURN_VOID();
}
