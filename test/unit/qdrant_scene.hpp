// What the tests of the Qdrant kind share: a shop's products, a server, and answers as Qdrant and an embedder give them.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "embed/cache.hpp"
#include "targets/qdrant_mapping.hpp"
#include "targets/target.hpp"

namespace autosync::vector_test {

using mapping::Change;
using mapping::Kind;
using mapping::Source;
using nlohmann::json;
using targets::Outcome;
using targets::Verdict;

inline const targets::Target &qdrant() { return *targets::find("qdrant"); }

inline targets::Server vector_server()
{
    targets::Server server;
    server.name = "vectors";
    server.access.url = "http://qdrant";
    server.embedder.emplace();
    server.embedder->access.url = "http://embedder/v1";
    server.embedder->model = "m";
    server.vectors = std::make_shared<embed::Cache>();
    return server;
}

inline Source products(const mapping::Options &options = {{"embed", "name,description"}})
{
    Source source;
    source.name = "public.products";
    source.table = "products";
    source.columns = {{"id", {Kind::integer}}, {"name", {Kind::text}}, {"description", {Kind::text}}, {"vec", {Kind::list, Kind::real}}};
    source.key = {"id"};
    source.options = options;
    return source;
}

inline Change product(std::int64_t id, const std::string &name, mapping::Value description = std::monostate{},
                      mapping::Value vector = std::monostate{})
{
    return {0, std::to_string(id), false, {id, name, std::move(description), std::move(vector)}, {}};
}

inline Change gone(std::int64_t id) { return {0, std::to_string(id), true, {}, {}}; }

inline http::Response response_of(const json &body, long status = 200)
{
    http::Response response;
    response.status = status;
    response.body = body.dump();
    return response;
}

/// One sync and its batch; owns what they point to.
struct Scene {
    targets::Server server = vector_server();
    Source source = products();
    std::vector<Change> changes;
    std::int64_t version = 1'000;
    std::unique_ptr<const targets::Mapping> mapping;
    const Source *sources[1] = {nullptr};
    const targets::Mapping *mappings[1] = {nullptr};

    targets::Batch batch()
    {
        mapping = qdrant().compile(source);
        sources[0] = &source;
        mappings[0] = mapping.get();
        return {sources, mappings, changes, version};
    }
    std::vector<targets::Planned> plan(std::size_t most = 500)
    {
        std::vector<std::size_t> all(changes.size());
        for (std::size_t at = 0; at < all.size(); ++at)
            all[at] = at;
        return qdrant().plan(server, batch(), all, most);
    }
};

/// A server that remembers what it was asked. It answers as Qdrant and as an embedder do; a test says what is there and what fails.
struct Parts {
    json stored = json::array();                                  ///< the points that are there
    std::function<http::Response(const http::Request &)> instead; ///< status 0: answer as always
    std::vector<http::Request> asked;

    http::Response answer(const http::Request &request)
    {
        asked.push_back(request);
        if (instead) {
            if (auto response = instead(request); response.status != 0 || response.failure != http::Response::Failure::none)
                return response;
        }
        const auto body = json::parse(request.body, nullptr, false);
        if (request.url.ends_with("/embeddings")) {
            json data = json::array();
            for (std::size_t at = 0; at < body.at("input").size(); ++at)
                data.push_back({{"index", at}, {"embedding", {body.at("input")[at].get<std::string>().size(), 0.5}}});
            return response_of({{"data", data}, {"usage", {{"total_tokens", 3 * data.size()}}}});
        }
        if (request.url.ends_with("/points"))
            return response_of({{"result", stored}});
        if (request.url.ends_with("/points/batch?wait=true")) {
            json result = json::array();
            for (std::size_t at = 0; at < body.at("operations").size(); ++at)
                result.push_back({{"operation_id", at}, {"status", "completed"}});
            return response_of({{"result", result}});
        }
        return response_of({{"result", {{"operation_id", 1}, {"status", "completed"}}}});
    }
    /// The whole conversation.
    Verdict talk(const targets::Target &target, const targets::Server &server, const targets::Planned &planned)
    {
        embed::Usage usage;
        auto request = planned.request;
        for (int step = 0; step < 100; ++step) {
            auto verdict = targets::read(target, server, planned, answer(request));
            usage += verdict.usage;
            verdict.usage = usage;
            if (!verdict.follow_up)
                return verdict;
            request = *verdict.follow_up;
        }
        ADD_FAILURE() << "a conversation without an end";
        return {};
    }
    Verdict deliver(Scene &scene)
    {
        const auto planned = scene.plan();
        EXPECT_EQ(planned.size(), 1U);
        return talk(qdrant(), scene.server, planned.at(0));
    }
    [[nodiscard]] json last() const { return json::parse(asked.back().body); }
};

inline std::string complaint(const Source &source)
{
    try {
        (void)qdrant().compile(source);
    } catch (const std::invalid_argument &error) {
        return error.what();
    }
    return "";
}

inline bool contains(const std::string &text, const std::string &piece) { return text.find(piece) != std::string::npos; }

} // namespace autosync::vector_test
