// The rows of the view syncs, with what the other views need to know of a sync.

#include <algorithm>
#include <array>
#include <map>

#include "config/options.hpp"
#include "config/sync.hpp"
#include "config/target.hpp"
#include "operate/access.hpp"
#include "operate/rows.hpp"

namespace autosync::operate {

namespace {

constexpr std::array<const char *, 4> all_operations{"insert", "update", "delete", "truncate"};

/// The triggers that make up one sync and the operations for which they fire.
struct Triggers {
    std::vector<std::string> names;
    std::array<bool, all_operations.size()> fires{};
};

using TriggersBySync = std::map<std::pair<Oid, std::string>, Triggers>;

TriggersBySync load_triggers()
{
    TriggersBySync found;
    // tgargs ends every argument with a zero byte; the first one is the target. tgtype: 1 row, 4 insert, 8 delete, 16 update, 32 truncate.
    for (const auto &row :
         pg::execute("SELECT t.tgrelid, convert_from(substring(t.tgargs FROM 1 FOR position('\\x00'::bytea IN t.tgargs) - 1), getdatabaseencoding()),"
                     " t.tgname, (t.tgtype & 4) > 0, (t.tgtype & 16) > 0, (t.tgtype & 8) > 0, (t.tgtype & 32) > 0"
                     " FROM pg_trigger t WHERE t.tgfoid = 'autosync.capture()'::regprocedure AND t.tgparentid = 0 AND t.tgnargs > 0"
                     " ORDER BY t.tgrelid, (t.tgtype & 1) DESC, t.tgname")) {
        auto &triggers = found[{static_cast<Oid>(std::stoul(row[0].value_or("0"))), row[1].value_or("")}];
        triggers.names.push_back(row[2].value_or(""));
        for (std::size_t i = 0; i < all_operations.size(); ++i)
            triggers.fires[i] = triggers.fires[i] || row[3 + i] == "t";
    }
    return found;
}

/// What fires and is not switched off by the option 'operations'.
std::vector<std::string> operations(const config::Sync &sync, const Triggers &triggers)
{
    const auto option = sync.options.find("operations");
    std::vector<std::string> wanted{all_operations.begin(), all_operations.end()};
    if (option != sync.options.end())
        wanted = config::parse_columns(option->second);
    std::vector<std::string> on;
    for (std::size_t i = 0; i < all_operations.size(); ++i)
        if (triggers.fires[i] && std::find(wanted.begin(), wanted.end(), all_operations[i]) != wanted.end())
            on.emplace_back(all_operations[i]);
    return on;
}

pg::Cell kind_of(const std::string &target)
{
    const char *const name = target.c_str();
    const Oid server = pg::call([name] { return get_foreign_server_oid(name, true); });
    return text_or_null(OidIsValid(server) ? config::kind_of_server(server) : std::string{});
}

/// NULL: its changes never expire.
pg::Cell ttl_of(const config::Sync &sync)
{
    const auto ttl = config::event_ttl(sync);
    return ttl.count() == 0 ? pg::Cell{} : std::to_string(ttl.count()) + " milliseconds";
}

std::string role_name(Oid role)
{
    return pg::call([role] { return GetUserNameFromId(role, true); });
}

} // namespace

} // namespace autosync::operate

using namespace autosync;

AUTOSYNC_SQL(autosync_sync_rows)
{
    operate::Rows rows{fcinfo};
    const pg::ActingAs caller{GetUserId(), false}; // for its search_path
    auto triggers = operate::load_triggers();
    for (const auto &sync : config::load_syncs()) {
        const auto &own = triggers[{sync.table, sync.target}];
        const bool relationship = sync.source.join_table || sync.options.contains("relationship");
        rows.add({std::to_string(sync.table), sync.source.name, sync.target, operate::kind_of(sync.target),
                  config::options_to_json(sync.options), operate::array_text(operate::operations(sync, own)), operate::boolean_text(sync.enabled),
                  operate::role_name(sync.owner), operate::array_text(own.names), config::entity_type(sync), operate::boolean_text(relationship),
                  operate::text_or_null(sync.problem), operate::ttl_of(sync)});
    }
    PG_RETURN_VOID();
}
