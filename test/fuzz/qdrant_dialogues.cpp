#include "fuzz.hpp"
#include "targets/target.hpp"

namespace autosync::fuzz {

using namespace targets;

static Server vector_server()
{
    Server server;
    server.access.url = "http://qdrant";
    server.embedder.emplace();
    server.embedder->access.url = "http://embedder/v1";
    server.embedder->model = "m";
    server.embedder->max_inputs = 2;
    return server;
}

/// Any answers whatever, of Qdrant and of the embedder, to a batch of three rows: the conversation ends.
FUZZ(qdrant_dialogues)
{
    constexpr int longest = 2'000;
    using mapping::Kind;
    static const targets::Target &kind = *find("qdrant");
    static const mapping::Source source{"public.products", "products", {{"id", {Kind::integer}}, {"name", {Kind::text}}}, {}, {"id"}, {}, false, {{"embed", "name"}}};
    static const auto compiled = kind.compile(source);
    static const Server server = vector_server();
    Input input{bytes};
    std::vector<mapping::Change> changes;
    for (std::int64_t id = 1; id <= 3; ++id) {
        if (input.flag())
            changes.push_back({0, std::to_string(id), true, {}, {}});
        else
            changes.push_back({0, std::to_string(id), false, {id, "text " + std::to_string(id)}, {}});
    }
    const mapping::Source *const sources[]{&source};
    const targets::Mapping *const mappings[]{compiled.get()};
    const std::size_t which[]{0, 1, 2};
    const Batch batch{sources, mappings, changes, 1'000};
    for (const auto &planned : kind.plan(server, batch, which, 500)) {
        for (int step = 0;; ++step) {
            holds(step < longest);
            const auto body = input.text();
            const auto response = answer(input, body.empty() ? R"({"result":[]})" : body);
            if (!read(kind, server, planned, response).follow_up)
                break;
        }
    }
}

} // namespace autosync::fuzz
