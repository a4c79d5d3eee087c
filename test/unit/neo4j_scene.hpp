// What the tests of the Neo4j kind share: a shop's tables, and a request taken apart.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "targets/target.hpp"

namespace autosync::graph_test {

using mapping::Kind;
using mapping::Source;

inline const targets::Target &neo4j() { return *targets::find("neo4j"); }

inline targets::Server graph_server()
{
    targets::Server server;
    server.name = "graph";
    server.access.url = "http://127.0.0.1:7474";
    return server;
}

inline mapping::Link foreign_key(const std::string &columns, const std::string &parent, const std::string &label = "")
{
    return {columns, {columns}, "public." + parent, parent, label};
}

inline Source orders()
{
    Source source;
    source.name = "public.orders";
    source.table = "orders";
    source.columns = {{"id", {Kind::integer}}, {"customer_id", {Kind::integer}}, {"placed", {Kind::timestamp}}};
    source.key = {"id"};
    source.links = {foreign_key("customer_id", "customers", "Customer")};
    return source;
}

inline Source playlist_track()
{
    Source source;
    source.name = "public.playlist_track";
    source.table = "playlist_track";
    source.columns = {{"playlist_id", {Kind::integer}}, {"track_id", {Kind::integer}}};
    source.key = {"playlist_id", "track_id"};
    source.links = {foreign_key("playlist_id", "playlist"), foreign_key("track_id", "track")};
    source.join_table = true;
    return source;
}

/// A batch that owns what it points to.
struct Scene {
    std::vector<Source> sources;
    std::vector<mapping::Change> changes;
    std::vector<std::unique_ptr<const targets::Mapping>> mappings;
    std::vector<const Source *> source_pointers;
    std::vector<const targets::Mapping *> mapping_pointers;

    targets::Batch batch(std::int64_t version = 1000)
    {
        mappings.clear();
        source_pointers.clear();
        mapping_pointers.clear();
        for (const auto &source : sources) {
            mappings.push_back(neo4j().compile(source));
            source_pointers.push_back(&source);
            mapping_pointers.push_back(mappings.back().get());
        }
        return {source_pointers, mapping_pointers, changes, version};
    }
    std::vector<targets::Planned> plan(std::size_t most = 500)
    {
        std::vector<std::size_t> all(changes.size());
        for (std::size_t at = 0; at < all.size(); ++at)
            all[at] = at;
        return neo4j().plan(graph_server(), batch(), all, most);
    }
};

inline nlohmann::json statements(const http::Request &request) { return nlohmann::json::parse(request.body).at("statements"); }

/// Text and parameters of the first statement for one change of this source.
inline nlohmann::json one_statement(const Source &source, mapping::Change change)
{
    Scene scene{{source}, {std::move(change)}, {}, {}, {}};
    return statements(scene.plan().at(0).request).at(0);
}

/// What compiling says against this source; empty: nothing.
inline std::string complaint(const Source &source)
{
    try {
        (void)neo4j().compile(source);
    } catch (const std::invalid_argument &error) {
        return error.what();
    }
    return "";
}

inline bool contains(const std::string &text, const std::string &piece) { return text.find(piece) != std::string::npos; }

} // namespace autosync::graph_test
