#include "worker/record_map.hpp"

#include <algorithm>

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

json rows_of(const std::vector<Item> &items)
{
    auto list = json::array();
    for (const auto &item : items)
        list.push_back({{"source", item.table}, {"key", item.wanted.key}});
    return list;
}

std::map<Row, Known> load_known(std::int64_t instance, const std::string &target, const std::vector<Item> &items)
{
    std::map<Row, Known> known;
    for (const auto &row : pg::execute("SELECT m.source::oid, m.key, m.did, m.collection, m.rkey, coalesce(m.cid, ''), m.confirmed, m.former,"
                                       " to_char(m.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), m.kept, m.sent, m.blobs, m.refs"
                                       " FROM jsonb_to_recordset($3::jsonb) AS e (source oid, key text)"
                                       " JOIN autosync.atp_map AS m ON m.instance = $1::int8 AND m.target = $2::name AND m.source = e.source AND m.key = e.key",
                                       {std::to_string(instance), target, dump(rows_of(items))})) {
        auto &found = known[{static_cast<Oid>(std::stoul(row[0].value_or("0"))), row[1].value_or("")}];
        found.at = {row[2].value_or(""), row[3].value_or(""), row[4].value_or("")};
        found.cid = row[5].value_or("");
        found.confirmed = row[6] == "t";
        found.former = places_of(row[7].value_or("[]"));
        found.created_at = row[8].value_or("");
        found.kept = row[9] == "t";
        json::parse(row[10].value_or("[]")).get_to(found.sent);
        json::parse(row[11].value_or("{}")).get_to(found.blobs);
        found.refs = row[12].value_or("{}");
    }
    return known;
}

std::map<Row, std::string> load_owners(std::int64_t instance, const std::string &target, const std::vector<Item> &items)
{
    std::map<Row, std::string> owners;
    for (const auto &row : pg::execute("SELECT o.source::oid, o.key, o.did FROM jsonb_to_recordset($3::jsonb) AS e (source oid, key text)"
                                       " JOIN autosync.atp_owners AS o ON o.instance = $1::int8 AND o.target = $2::name AND o.source = e.source AND o.key = e.key",
                                       {std::to_string(instance), target, dump(rows_of(items))}))
        owners[{static_cast<Oid>(std::stoul(row[0].value_or("0"))), row[1].value_or("")}] = row[2].value_or("");
    return owners;
}

void find_blobs(std::int64_t instance, const std::string &target, std::vector<Intent> &intents)
{
    auto list = json::array();
    for (std::size_t i = 0; i < intents.size(); ++i)
        for (std::size_t j = 0; j < intents[i].blobs.size(); ++j)
            if (const auto &blob = intents[i].blobs[j]; !blob.there && intents[i].problem.empty())
                list.push_back({{"place", i}, {"number", j}, {"did", intents[i].at.did}, {"cid", blob.cid}});
    if (list.empty())
        return;
    for (const auto &row : pg::execute("SELECT e.place, e.number, min(m.blobs ->> e.cid) FROM jsonb_to_recordset($3::jsonb)"
                                       " AS e (place int8, number int8, did text, cid text) JOIN autosync.atp_map AS m ON m.instance = $1::int8"
                                       " AND m.target = $2::name AND m.did = e.did AND m.blobs ? e.cid GROUP BY 1, 2",
                                       {std::to_string(instance), target, dump(list)})) {
        auto &intent = intents[std::stoul(row[0].value_or("0"))];
        auto &blob = intent.blobs[std::stoul(row[1].value_or("0"))];
        blob.there = true;
        if (row[2] && *row[2] != blob.type) {
            blob.type = *row[2];
            atproto::retype_blob(intent, blob);
        }
    }
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
    constexpr std::size_t most_sent = 20;
    auto list = json::array();
    for (std::size_t i = 0; i < intents.size(); ++i) {
        const auto &intent = intents[i];
        if (!intent.problem.empty() || intent.kept)
            continue;
        auto sent = intent.ours;
        if (!intent.removes() && std::ranges::find(sent, intent.cid) == sent.end())
            sent.push_back(intent.cid);
        if (sent.size() > most_sent)
            sent.erase(sent.begin(), sent.end() - most_sent);
        list.push_back({{"source", items[i].table}, {"key", items[i].wanted.key}, {"did", intent.at.did}, {"collection", intent.at.collection},
                        {"rkey", intent.at.rkey}, {"former", to_json(intent.former)}, {"sent", sent},
                        {"refs", json::parse(intent.refs.empty() ? "{}" : intent.refs)}});
    }
    const std::string same = "CASE WHEN (m.did, m.collection, m.rkey) = (excluded.did, excluded.collection, excluded.rkey) THEN ";
    pg::execute("INSERT INTO autosync.atp_map AS m (instance, target, source, key, did, collection, rkey, former, confirmed, sent, refs, created_at)"
                " SELECT $1::int8, $2::name, e.source, e.key, e.did, e.collection, e.rkey, e.former, false, e.sent, e.refs, $4::timestamptz"
                " FROM jsonb_to_recordset($3::jsonb) AS e (source oid, key text, did text, collection text, rkey text, former jsonb, sent jsonb, refs jsonb)"
                " ON CONFLICT (instance, target, source, key) DO UPDATE SET did = excluded.did, collection = excluded.collection, rkey = excluded.rkey,"
                " former = excluded.former, confirmed = false, sent = excluded.sent, refs = excluded.refs, cid = " + same + "m.cid END, kept = " + same +
                    "m.kept ELSE false END, blobs = CASE WHEN m.did = excluded.did THEN m.blobs ELSE '{}' END",
                {std::to_string(instance), target, dump(list), now});
}

} // namespace autosync::worker
