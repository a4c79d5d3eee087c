// emit(): an application's own event, to targets that keep history.

#include <algorithm>

#include "capture/word.hpp"
#include "config/settings.hpp"
#include "mapping/key.hpp"
#include "operate/access.hpp"

namespace autosync::operate {

namespace {

constexpr std::size_t most_name = 255; // bytes
constexpr std::size_t most_key = 2'000;

using capture::Listener;

/// What targets get is UTF-8, which an SQL_ASCII database need not hold.
bool is_utf8(const std::string &text)
{
    return GetDatabaseEncoding() == PG_UTF8 || pg::call([data = text.data(), size = static_cast<int>(text.size())] { return pg_verify_mbstr(PG_UTF8, data, size, true); });
}

void require_utf8(const std::string &text, const std::string &name)
{
    if (!is_utf8(text))
        throw pg::Failure{ERRCODE_CHARACTER_NOT_IN_REPERTOIRE, name + " is not UTF-8", "The database has the encoding SQL_ASCII, and targets get UTF-8."};
}

/// A word that events are called by.
std::string name_argument(FunctionCallInfo fcinfo, int index, const std::string &name)
{
    auto text = pg::text_argument(fcinfo, index);
    if (text.empty())
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, name + " must not be empty"};
    if (std::ranges::any_of(text, [](unsigned char letter) { return letter < 0x20 || letter == 0x7f; }))
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, name + " must not contain control characters"};
    if (text.size() > most_name)
        throw pg::Failure{ERRCODE_PROGRAM_LIMIT_EXCEEDED, name + " is too long", "It has " + std::to_string(text.size()) + " bytes, the most is " + std::to_string(most_name) + "."};
    require_utf8(text, name);
    return text;
}

std::string id_argument(FunctionCallInfo fcinfo, const std::string &entity_type)
{
    auto text = pg::text_argument(fcinfo, 2);
    if (text.empty())
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "entity_id must not be empty"};
    require_utf8(text, "entity_id");
    const mapping::KeyPart parts[] = {{"entity_type"}, {"entity_id"}};
    const std::string texts[] = {entity_type, text};
    if (const auto size = mapping::key_text(parts, texts).size(); size > most_key) // as it is kept where it is looked up
        throw pg::Failure{ERRCODE_PROGRAM_LIMIT_EXCEEDED, "entity_id is too long",
                          "With its type and in quotes it has " + std::to_string(size) + " bytes, the most is " + std::to_string(most_key) + "."};
    return text;
}

std::string payload_argument(FunctionCallInfo fcinfo)
{
    if (fcinfo->args[3].isnull)
        return "null";
    const Datum value = fcinfo->args[3].value;
    std::string text = pg::call([value] { return DatumGetCString(DirectFunctionCall1(jsonb_out, value)); });
    constexpr std::size_t kilobyte = 1024;
    const auto most = static_cast<std::size_t>(config::settings.max_event_size) * kilobyte;
    if (text.size() > most)
        throw pg::Failure{ERRCODE_PROGRAM_LIMIT_EXCEEDED, "payload is too large",
                          "It has " + std::to_string(text.size()) + " bytes, the most is " + std::to_string(most) + " (autosync.max_event_size).",
                          "Store it in a table, and let the event say where."};
    require_utf8(text, "payload");
    return text;
}

bool may_use(Oid server)
{
    return pg::call([server] { return object_aclcheck(ForeignServerRelationId, server, GetUserId(), ACL_USAGE); }) == ACLCHECK_OK;
}

/// Those that are meant, whether or not they get it now.
std::vector<const Listener *> addressees(const std::optional<std::string> &target)
{
    constexpr const char *way = "Today that is a server of autosync_test to which a table is synced with the option capture = row.";
    if (target)
        (void) require_target_usage(*target);
    std::vector<const Listener *> found;
    bool any = false;
    for (const auto &listener : capture::listeners()) {
        if (target && listener.target != *target)
            continue;
        any = true;
        if (may_use(listener.server))
            found.push_back(&listener);
    }
    if (target && !any)
        throw pg::Failure{ERRCODE_FEATURE_NOT_SUPPORTED, "target \"" + *target + "\" keeps no history", "It is not told of events.", way};
    if (!any)
        throw pg::Failure{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "no target keeps history", "The event would go nowhere.", way};
    if (found.empty())
        throw pg::Failure{ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied for every target that keeps history", {}, "GRANT USAGE ON FOREIGN SERVER ... lets a role send events there."};
    return found;
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_emit)
{
    pg::call([] { PreventCommandIfReadOnly("autosync.emit()"); });
    operate::require_arguments(fcinfo, {"event_type", "entity_type", "entity_id"});
    outbox::Word word;
    word.speaker = GetUserId();
    word.event_type = operate::name_argument(fcinfo, 0, "event_type");
    word.entity_type = operate::name_argument(fcinfo, 1, "entity_type");
    word.entity_id = operate::id_argument(fcinfo, word.entity_type);
    word.payload = operate::payload_argument(fcinfo);
    if (!fcinfo->args[4].isnull)
        word.version = DatumGetInt64(fcinfo->args[4].value);
    const std::string correlation_id = operate::optional_text(fcinfo, 5).value_or(config::settings.correlation_id);
    operate::require_utf8(correlation_id, "correlation_id");
    auto targets = operate::addressees(operate::optional_name(fcinfo, 6));
    (void) operate::require_instance();
    std::erase_if(targets, [](const auto *listener) { return !listener->enabled || listener->target == config::settings.origin; });
    if (targets.empty() || !config::settings.enabled)
        PG_RETURN_NULL();
    const auto call = capture::next_call();
    capture::note_word(word, call, targets, correlation_id);
    return pg::text_datum(call.event_id);
}
