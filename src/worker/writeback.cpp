#include "worker/writeback.hpp"

#include <nlohmann/json.hpp>

#include "mapping/identity.hpp"
#include "pg/spi.hpp"

namespace autosync::worker {

namespace {

using nlohmann::json;

std::string column(const config::Sync &sync, const char *option)
{
    const auto found = sync.options.find(option);
    return found == sync.options.end() ? std::string{} : found->second;
}

std::string dump(const json &value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

json entry_of(const std::vector<std::string> &key)
{
    json entry = json::object();
    for (std::size_t i = 0; i < key.size(); ++i)
        entry["k" + std::to_string(i)] = key[i];
    return entry;
}

/// One UPDATE for all: what is locked is skipped, what is as it should be is not touched.
std::string statement_of(const config::Sync &sync)
{
    const std::string table = (sync.partitioned ? "" : "ONLY ") + pg::quote_qualified(sync.schema, sync.name);
    std::string keys;
    std::string condition;
    for (std::size_t i = 0; i < sync.key.size(); ++i) {
        const auto name = "k" + std::to_string(i);
        keys += ", " + name + " text";
        condition += (i > 0 ? " AND r." : "r.") + pg::quote(sync.key[i].name) + " = l." + name + "::" + sync.key[i].type_name;
    }
    std::string assignments;
    std::string differ;
    for (const auto &[option, value] : {std::pair{"uri_column", "uri"}, std::pair{"cid_column", "cid"}}) {
        const auto name = column(sync, option);
        if (name.empty())
            continue;
        assignments += (assignments.empty() ? "" : ", ") + pg::quote(name) + " = l." + value;
        differ += (differ.empty() ? "t." : " OR t.") + pg::quote(name) + " IS DISTINCT FROM l." + value;
    }
    return "WITH l AS (SELECT r.tableoid AS o, r.ctid AS c, l.place, l.uri, l.cid FROM " + table + " AS r JOIN jsonb_to_recordset($1::jsonb) AS l (place int8, uri text, cid text" +
           keys + ") ON " + condition + " FOR NO KEY UPDATE OF r SKIP LOCKED), u AS (UPDATE " + table + " AS t SET " + assignments +
           " FROM l WHERE t.ctid = l.c AND t.tableoid = l.o AND (" + differ + ")) SELECT place FROM l";
}

/// The places in the list of the rows that were found and could be locked.
std::vector<std::size_t> update(const config::Sync &sync, const json &list)
{
    std::vector<std::size_t> done;
    pg::subtransaction([&] {
        const pg::ActingAs owner{sync.owner};
        const char *const origin = sync.target.c_str();
        pg::call([origin] {
            (void)set_config_option("row_security", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
            (void)set_config_option("autosync.origin", origin, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
        });
        for (const auto &row : pg::execute(statement_of(sync), {dump(list)}))
            done.push_back(std::stoul(row[0].value_or("0")));
    });
    return done;
}

/// A trigger of the table's, a constraint, a missing privilege: the records stand all the same.
void complain(const config::Sync &sync, const char *why)
{
    pg::report(LOG, ERRCODE_SUCCESSFUL_COMPLETION, "could not write where records are into table " + sync.source.name, why, "It is tried again.");
}

} // namespace

bool writes_back(const config::Sync &sync) { return !column(sync, "uri_column").empty() || !column(sync, "cid_column").empty(); }

bool write_back(std::int64_t instance, const config::Sync &sync)
{
    constexpr std::size_t most = 500;
    std::vector<std::string> keys;
    auto list = json::array();
    std::size_t left = 0;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        std::vector<std::string> names;
        for (const auto &part : sync.key)
            names.push_back(part.name);
        for (const auto &row : pg::execute("SELECT key, 'at://' || did || '/' || collection || '/' || rkey, cid FROM autosync.atp_map"
                                           " WHERE instance = $1::int8 AND target = $2::name AND source = $3::oid AND NOT written AND confirmed"
                                           " LIMIT " + std::to_string(most),
                                           {std::to_string(instance), sync.target, std::to_string(sync.table)})) {
            auto entry = entry_of(mapping::read_key(row[0].value_or(""), names));
            entry["place"] = keys.size();
            entry["uri"] = row[1].value_or("");
            entry["cid"] = row[2].value_or("");
            keys.push_back(row[0].value_or(""));
            list.push_back(std::move(entry));
        }
        if (keys.empty())
            return;
        std::vector<std::size_t> done;
        try {
            done = update(sync, list);
        } catch (const pg::Error &error) {
            if (ERRCODE_TO_CATEGORY(error.sqlstate()) == ERRCODE_OPERATOR_INTERVENTION)
                throw;
            complain(sync, error.what());
        }
        auto written = json::array();
        for (const auto place : done)
            written.push_back({{"key", keys[place]}, {"cid", list[place]["cid"]}});
        pg::execute("UPDATE autosync.atp_map AS m SET written = true FROM jsonb_to_recordset($4::jsonb) AS e (key text, cid text)"
                    " WHERE m.instance = $1::int8 AND m.target = $2::name AND m.source = $3::oid AND m.key = e.key AND m.cid = e.cid",
                    {std::to_string(instance), sync.target, std::to_string(sync.table), dump(written)});
        left = keys.size() - done.size();
    });
    return keys.size() < most && left == 0;
}

void forget_records(const config::Sync &sync, const std::vector<std::vector<std::string>> &keys)
{
    auto list = json::array();
    for (const auto &key : keys) {
        auto entry = entry_of(key);
        entry["place"] = 0;
        list.push_back(std::move(entry));
    }
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        try {
            (void)update(sync, list);
        } catch (const pg::Error &error) {
            if (ERRCODE_TO_CATEGORY(error.sqlstate()) == ERRCODE_OPERATOR_INTERVENTION)
                throw;
            complain(sync, error.what());
        }
    });
}

} // namespace autosync::worker
