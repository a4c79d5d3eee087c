// diff(): field by field, what the row says and what the target holds.

#include "operate/access.hpp"
#include "operate/entity.hpp"
#include "operate/held.hpp"
#include "operate/rows.hpp"
#include "operate/vectors.hpp"
#include "outbox/forgotten.hpp"

namespace autosync::operate {

namespace {

/// What is forgotten is to be at no target.
bool is_forgotten(const Entity &entity)
{
    const auto instance = std::stoll(require_instance());
    const pg::ActingAs owner{pg::extension_owner(), false};
    return outbox::is_forgotten(instance, entity.target.name, entity.source, entity.key.text);
}

worker::ReadRow ours(const Entity &entity)
{
    if (!is_forgotten(entity))
        return read_now(entity);
    worker::ReadRow row;
    row.change.key = entity.key.text;
    row.change.removed = true;
    return row;
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_diff)
{
    const auto entity = operate::entity_of(fcinfo);
    operate::Rows rows{fcinfo};
    if (!entity)
        PG_RETURN_VOID();
    const auto row = operate::ours(*entity);
    if (row.skip)
        PG_RETURN_VOID(); // whatever the target holds of it is to stay
    const auto held = operate::ask_for(entity->sync, entity->target, row.change, entity->key.text, entity->target.limits.request_timeout);
    if (held.problem.outcome != targets::Outcome::delivered)
        operate::fail_with(held.problem, entity->target.name);
    for (const auto &[field, ours, theirs] : operate::differences(held))
        rows.add({operate::from_utf8(field), operate::text_or_null(operate::from_utf8(ours)), operate::text_or_null(operate::from_utf8(theirs))});
    PG_RETURN_VOID();
}
