// preview(): exactly what would be sent for one entity, without sending it.

#include "config/sync.hpp"
#include "config/target.hpp"
#include "operate/access.hpp"
#include "operate/key.hpp"
#include "operate/rows.hpp"
#include "targets/target.hpp"
#include "worker/lone_record.hpp"
#include "worker/read.hpp"

namespace autosync::operate {

namespace {

/// From UTF-8, in which targets are spoken to, to the database's encoding.
std::string to_server(const std::string &text)
{
    const char *const raw = text.c_str();
    const auto size = static_cast<int>(text.size());
    return pg::call([raw, size] { return pg_any_to_server(raw, size, PG_UTF8); });
}

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
    return to_server(text + "}");
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
    if (!sync->problem.empty())
        throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "table " + operate::source_name(source) + " cannot be delivered as declared", sync->problem};
    const auto key = operate::parse_key(*sync, key_text);

    worker::Reader reader{*sync};
    const worker::Wanted wanted[] = {{key.text, key.columns}};
    std::size_t done = 0;
    const auto read_row = [&] {
        try {
            return reader.read_keys(wanted, std::size_t{1} << 30, &done);
        } catch (const worker::SyncTrouble &trouble) {
            throw pg::Failure{trouble.sqlstate(), trouble.what()};
        }
    };
    auto read = read_row();
    auto &row = read.at(0);
    if (!row.problem.empty())
        throw pg::Failure{ERRCODE_FDW_ERROR, "this row cannot be delivered", row.problem};
    if (row.skip)
        PG_RETURN_VOID(); // nothing would be sent
    row.change.source = 0;
    for (const auto &planned : operate::plan(*target, *sync, row.change, key.text))
        rows.add({planned.request.method, operate::to_server(planned.request.url),
                  operate::headers_json(planned.request, target->description.access_to(planned.request)),
                  operate::to_server(planned.request.body)});
    PG_RETURN_VOID();
}
