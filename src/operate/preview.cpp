// preview(): exactly what would be sent for one entity, without sending it.

#include "operate/access.hpp"
#include "operate/entity.hpp"
#include "operate/rows.hpp"
#include "targets/target.hpp"
#include "worker/lone_record.hpp"

namespace autosync::operate {

namespace {

std::string json_string(const std::string &text)
{
    const char *const raw = text.c_str();
    return pg::call([raw] {
        StringInfoData out;
        initStringInfo(&out);
        escape_json(&out, raw);
        return out.data;
    });
}

/// The headers as a JSON object; credentials show that they are sent, not what they are.
std::string headers_json(const http::Request &request, const http::Access &access)
{
    std::string text = "{";
    const auto add = [&text](const std::string &name, const std::string &value) {
        text += (text.size() > 1 ? ", " : "") + json_string(name) + ": " + json_string(value);
    };
    for (const auto &[name, value] : request.headers)
        add(name, value);
    if (!access.username.empty() || !access.bearer_token.empty())
        add("Authorization", access.bearer_token.empty() ? "Basic ***" : "Bearer ***");
    for (const auto &header : access.secret_headers)
        add(header.first, "***");
    return from_utf8(text + "}");
}

std::vector<targets::Planned> plan(const config::Target &target, const config::Sync &sync, const mapping::Change &change, const std::string &key)
{
    const auto compiled = target.kind->compile(sync.source);
    const mapping::Source *const sources[] = {&sync.source};
    const targets::Mapping *const mappings[] = {compiled.get()};
    const mapping::Change changes[] = {change};
    targets::Batch batch{};
    batch.sources = sources;
    batch.mappings = mappings;
    batch.changes = changes;
    batch.version = GetCurrentTimestamp() + std::int64_t{946'684'800'000'000}; // about what the worker's clock would give
    if (!target.kind->capabilities().mapped)
        return target.kind->preview(target.description, batch);
    const auto instance = require_instance();
    const pg::ActingAs owner{pg::extension_owner(), false};
    const auto context = worker::lone_record(std::stoll(instance), sync, change, key);
    batch.context = context.get();
    return target.kind->preview(target.description, batch);
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_preview)
{
    const auto entity = operate::entity_of(fcinfo);
    operate::Rows rows{fcinfo};
    if (!entity)
        PG_RETURN_VOID();
    auto row = operate::read_now(*entity);
    if (row.skip)
        PG_RETURN_VOID(); // nothing would be sent
    row.change.source = 0;
    for (const auto &planned : operate::plan(entity->target, entity->sync, row.change, entity->key.text))
        rows.add({planned.request.method, operate::from_utf8(planned.request.url),
                  operate::headers_json(planned.request, entity->target.description.access_to(planned.request)), operate::from_utf8(planned.request.body)});
    PG_RETURN_VOID();
}
