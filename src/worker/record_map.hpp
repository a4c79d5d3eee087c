// The record map of AT Protocol targets as it is stored: which record of which repository each row is. All need a transaction.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "atproto/context.hpp"
#include "worker/round.hpp"

namespace autosync::worker {

/// A record as the map has it.
struct Known {
    atproto::Address at;
    std::string cid;
    bool confirmed = false; ///< nothing was sent since the repository told its CID
    bool kept = false;      ///< it is what somebody else has made of it
    std::vector<atproto::Address> former;
    std::vector<std::string> sent;            ///< CIDs of what was sent since it was confirmed
    std::map<std::string, std::string> blobs; ///< CID -> content type, of the confirmed record
    std::string refs;                         ///< JSON: its strong references, see References
    std::string created_at;
};

using Row = std::pair<Oid, std::string>; ///< source, key

[[nodiscard]] std::string dump(const nlohmann::json &value);
[[nodiscard]] nlohmann::json to_json(const std::vector<atproto::Address> &places);
[[nodiscard]] nlohmann::json rows_of(const std::vector<Item> &items);

[[nodiscard]] std::map<Row, Known> load_known(std::int64_t instance, const std::string &target, const std::vector<Item> &items);
/// Of rows that somebody has published as another identity's: whose.
[[nodiscard]] std::map<Row, std::string> load_owners(std::int64_t instance, const std::string &target, const std::vector<Item> &items);
/// Which of their blobs repositories have already, with other records perhaps.
void find_blobs(std::int64_t instance, const std::string &target, std::vector<atproto::Intent> &intents);
/// Two rows cannot be one record: notes it as the problem of the later one.
void find_rivals(std::int64_t instance, const std::string &target, const std::vector<Item> &items, std::vector<atproto::Intent> &intents);
/// Where the records are going to be, whatever happens from here on. `now`: what is createdAt of those that are new, also from here on.
void write_down(std::int64_t instance, const std::string &target, const std::vector<Item> &items, const std::vector<atproto::Intent> &intents,
                const std::string &now);

} // namespace autosync::worker
