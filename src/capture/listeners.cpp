#include "capture/listeners.hpp"

#include "config/sync.hpp"
#include "config/target.hpp"
#include "pg/bridge.hpp"
#include "targets/history.hpp"

namespace autosync::capture {

namespace {

std::vector<Listener> *known = nullptr; // per session; built on first use, never destroyed
bool stale = true;

void forget_relation(Datum, Oid) { stale = true; }
void forget_entry(Datum, int, uint32) { stale = true; }

void watch_catalogs()
{
    known = new std::vector<Listener>; // NOLINT: lives as long as the session
    pg::call([] {
        CacheRegisterRelcacheCallback(forget_relation, Datum{0});
        CacheRegisterSyscacheCallback(FOREIGNSERVEROID, forget_entry, Datum{0});
    });
}

Listener listener(const std::string &target, Oid server)
{
    auto manner = manner_of(target, {});
    manner.gathers = 0; // each of their events is told
    return {target, server, is_enabled(target, {}), manner, {}};
}

std::vector<Listener> look_up()
{
    std::map<std::string, Listener> found;
    for (const auto &sync : config::load_syncs()) {
        const char *const name = sync.target.c_str();
        const Oid server = pg::call([name] { return get_foreign_server_oid(name, true); });
        if (!OidIsValid(server) || !targets::keeps_history(config::kind_of_server(server), sync.options))
            continue;
        const auto [place, fresh] = found.try_emplace(sync.target);
        if (fresh)
            place->second = listener(sync.target, server);
        place->second.tables.try_emplace(config::entity_type(sync), sync.table);
    }
    std::vector<Listener> all;
    for (auto &[name, each] : found)
        all.push_back(std::move(each));
    return all;
}

} // namespace

const std::vector<Listener> &listeners()
{
    if (known == nullptr)
        watch_catalogs();
    if (stale) {
        stale = false; // whatever changes from here on is looked up next time
        try {
            *known = look_up();
        } catch (...) {
            stale = true;
            throw;
        }
    }
    return *known;
}

} // namespace autosync::capture
