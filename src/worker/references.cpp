#include "worker/references.hpp"

#include <nlohmann/json.hpp>

#include "pg/datum.hpp"
#include "pg/spi.hpp"
#include "targets/atproto_mapping.hpp"

namespace autosync::worker {

using nlohmann::json;
namespace kind = targets::atproto;

namespace {

const kind::Compiled &compiled(const Flight &flight, std::size_t change)
{
    return static_cast<const kind::Compiled &>(*flight.mappings[flight.changes[change].source]);
}

} // namespace

References::References(std::int64_t instance, const std::string &target, const Flight &flight) : flight_{flight}
{
    auto list = json::array();
    for (std::size_t i = 0; i < flight.changes.size(); ++i) {
        const auto &change = flight.changes[i];
        if (change.removed)
            continue;
        const auto &links = flight.declared[change.source]->sync.links;
        for (const auto &reference : compiled(flight, i).references)
            if (const auto &key = change.links.at(reference.link))
                list.push_back({{"source", links[reference.link].parent}, {"key", *key}});
    }
    if (list.empty())
        return;
    for (const auto &row : pg::execute("SELECT DISTINCT m.source::oid, m.key, m.did, m.collection, m.rkey, m.cid, m.refs::text"
                                       " FROM jsonb_to_recordset($3::jsonb) AS e (source oid, key text) JOIN autosync.atp_map AS m"
                                       " ON m.instance = $1::int8 AND m.target = $2::name AND m.source = e.source AND m.key = e.key"
                                       " WHERE m.published_at IS NOT NULL AND m.cid IS NOT NULL",
                                       {std::to_string(instance), target, dump(list)}))
        parents_[{static_cast<Oid>(std::stoul(row[0].value_or("0"))), row[1].value_or("")}] = {
            {row[2].value_or(""), row[3].value_or(""), row[4].value_or("")}, row[5].value_or(""), row[6].value_or("{}")};
}

const References::Parent *References::find(const Row &row) const
{
    const auto found = parents_.find(row);
    return found == parents_.end() ? nullptr : &found->second;
}

Referred References::of(std::size_t change, const Known *known) const
{
    Referred referred;
    const auto &source = flight_.changes[change].source;
    const auto before = json::parse(known == nullptr ? "{}" : known->refs);
    auto noted = json::object();
    for (const auto &reference : compiled(flight_, change).references) {
        const auto &key = flight_.changes[change].links.at(reference.link);
        if (!key)
            continue;
        const auto &name = flight_.sources[source]->links[reference.link].parent;
        const Row row{flight_.declared[source]->sync.links[reference.link].parent, *key};
        const auto *const parent = find(row);
        const auto made = before.find(reference.field);
        const bool same = made != before.end() && made->value("parent", "") == name && made->value("key", "") == *key;
        json value;
        // Made once, it stands; also when its parent is gone. Only a parent that has moved is referred to anew.
        if (same && (parent == nullptr || made->value("uri", "") == parent->at.uri())) {
            value = made->at("value");
        } else if (parent == nullptr) {
            referred.missing = row;
            referred.message = "row " + *key + " of " + name + ", to which field \"" + reference.field + "\" refers, has no record yet";
            return referred;
        } else {
            const json strong{{"uri", parent->at.uri()}, {"cid", parent->cid}};
            const auto above = json::parse(parent->refs);
            const auto thread = above.find(reference.field);
            value = !reference.thread ? strong
                                      : json{{"parent", strong}, {"root", thread != above.end() && thread->at("value").contains("root")
                                                                              ? thread->at("value").at("root") : strong}};
        }
        noted[reference.field] = {{"parent", name}, {"key", *key}, {"value", value},
                                  {"uri", reference.thread ? value.at("parent").at("uri") : value.at("uri")}};
        referred.values[reference.field] = dump(value);
    }
    referred.noted = dump(noted);
    return referred;
}

bool release_children(std::int64_t instance, const std::string &target)
{
    return !pg::execute("UPDATE autosync.exceptions AS u SET status = 'PENDING', attempts = 0, next_attempt_at = clock_timestamp(), updated_at = clock_timestamp()"
                        " WHERE u.ctid = ANY (ARRAY(SELECT x.ctid FROM autosync.exceptions AS x JOIN autosync.atp_map AS m ON m.instance = x.instance"
                        " AND m.target = x.target AND m.source = x.parent AND m.key = x.parent_key WHERE x.instance = $1::int8 AND x.target = $2::name"
                        " AND x.parent IS NOT NULL AND x.status IN ('PENDING', 'FAILED') AND coalesce(x.next_attempt_at, 'infinity') > clock_timestamp()"
                        " AND m.published_at IS NOT NULL AND m.cid IS NOT NULL FOR UPDATE OF x SKIP LOCKED)) RETURNING 1",
                        {std::to_string(instance), target})
                .empty();
}

} // namespace autosync::worker
