#include "worker/record_map.hpp"

#include <nlohmann/json.hpp>

#include "pg/spi.hpp"

namespace autosync::worker {

using atproto::Address;
using atproto::Intent;
using nlohmann::json;

namespace {

std::vector<Address> places_of(const std::string &text)
{
    std::vector<Address> places;
    for (const auto &at : json::parse(text))
        places.push_back({at.at("did"), at.at("collection"), at.at("rkey")});
    return places;
}

} // namespace

std::string dump(const json &value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

json to_json(const std::vector<Address> &places)
{
    auto list = json::array();
    for (const auto &at : places)
        list.push_back({{"did", at.did}, {"collection", at.collection}, {"rkey", at.rkey}});
    return list;
}

std::map<Row, Known> load_known(std::int64_t instance, const std::string &target, const std::vector<Item> &items)
{
    auto list = json::array();
    for (const auto &item : items)
        list.push_back({{"source", item.table}, {"key", item.wanted.key}});
    std::map<Row, Known> known;
    for (const auto &row : pg::execute("SELECT m.source::oid, m.key, m.did, m.collection, m.rkey, coalesce(m.cid, ''), m.confirmed, m.former,"
                                       " to_char(m.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
                                       " FROM jsonb_to_recordset($3::jsonb) AS e (source oid, key text)"
                                       " JOIN autosync.atp_map AS m ON m.instance = $1::int8 AND m.target = $2::name AND m.source = e.source AND m.key = e.key",
                                       {std::to_string(instance), target, dump(list)}))
        known[{static_cast<Oid>(std::stoul(row[0].value_or("0"))), row[1].value_or("")}] = {
            {row[2].value_or(""), row[3].value_or(""), row[4].value_or("")}, row[5].value_or(""), row[6] == "t", places_of(row[7].value_or("[]")),
            row[8].value_or("")};
    return known;
}

void find_rivals(std::int64_t instance, const std::string &target, const std::vector<Item> &items, std::vector<Intent> &intents)
{
    auto list = json::array();
    std::map<Address, std::size_t> here;
    for (std::size_t i = 0; i < intents.size(); ++i) {
        auto &intent = intents[i];
        if (!intent.problem.empty() || intent.removes())
            continue;
        if (const auto [first, fresh] = here.try_emplace(intent.at, i); !fresh)
            intent.problem = "its record " + intent.at.uri() + " is that of row " + items[first->second].wanted.key + " already";
        else
            list.push_back({{"place", i}, {"source", items[i].table}, {"key", items[i].wanted.key}, {"did", intent.at.did},
                            {"collection", intent.at.collection}, {"rkey", intent.at.rkey}});
    }
    for (const auto &row : pg::execute("SELECT e.place, m.key FROM jsonb_to_recordset($3::jsonb)"
                                       " AS e (place int8, source oid, key text, did text, collection text, rkey text)"
                                       " JOIN autosync.atp_map AS m ON m.instance = $1::int8 AND m.target = $2::name AND m.did = e.did"
                                       " AND m.collection = e.collection AND m.rkey = e.rkey"
                                       " WHERE m.source <> e.source OR m.key <> e.key",
                                       {std::to_string(instance), target, dump(list)})) {
        auto &intent = intents[std::stoul(row[0].value_or("0"))];
        intent.problem = "its record " + intent.at.uri() + " is that of row " + row[1].value_or("") + " already";
    }
}

void write_down(std::int64_t instance, const std::string &target, const std::vector<Item> &items, const std::vector<Intent> &intents,
                const std::string &now)
{
    auto list = json::array();
    for (std::size_t i = 0; i < intents.size(); ++i) {
        const auto &intent = intents[i];
        if (intent.problem.empty())
            list.push_back({{"source", items[i].table}, {"key", items[i].wanted.key}, {"did", intent.at.did}, {"collection", intent.at.collection},
                            {"rkey", intent.at.rkey}, {"former", to_json(intent.former)}});
    }
    pg::execute("INSERT INTO autosync.atp_map AS m (instance, target, source, key, did, collection, rkey, former, confirmed, created_at)"
                " SELECT $1::int8, $2::name, e.source, e.key, e.did, e.collection, e.rkey, e.former, false, $4::timestamptz"
                " FROM jsonb_to_recordset($3::jsonb) AS e (source oid, key text, did text, collection text, rkey text, former jsonb)"
                " ON CONFLICT (instance, target, source, key) DO UPDATE SET did = excluded.did, collection = excluded.collection, rkey = excluded.rkey,"
                " former = excluded.former, confirmed = false",
                {std::to_string(instance), target, dump(list), now});
}

} // namespace autosync::worker
