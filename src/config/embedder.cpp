#include "config/embedder.hpp"

namespace autosync::config {

namespace {

/// What the target says goes before what the embedder's server says.
void refine(embed::Embedder &embedder, const Options &options)
{
    embedder.model = text_or(options, "model", embedder.model.c_str());
    embedder.dimensions = number_or(options, "dimensions", embedder.dimensions);
    embedder.max_inputs = number_or(options, "max_inputs", embedder.max_inputs);
    embedder.max_tokens_per_request = number_or(options, "max_tokens_per_request", embedder.max_tokens_per_request);
}

} // namespace

embed::Embedder embedder_of(Connection &server)
{
    embed::Embedder embedder;
    embedder.access = server.access();
    embedder.access.bearer_token = server.secret("api_key");
    embedder.organization = text_or(server.options, "organization", "");
    refine(embedder, server.options);
    return embedder;
}

std::optional<embed::Embedder> load_embedder(Connection &target, Oid user)
{
    const auto note = [&target](const std::string &problem) {
        if (target.problem.empty())
            target.problem = problem;
    };
    std::optional<embed::Embedder> embedder;
    if (const auto *const url = find(target.options, "embed_url")) {
        embedder.emplace().access.url = bare_url(*url);
        embedder->access.bearer_token = target.secret("embed_api_key");
    } else if (const auto *const name = find(target.options, "embedder")) {
        auto server = load_connection(*name, user);
        if (!server || server->kind != embedder_kind) {
            note("server \"" + *name + "\", which the option \"embedder\" names, is not one of autosync_openai");
            return std::nullopt;
        }
        embedder = embedder_of(*server);
        if (!server->problem.empty())
            note(server->problem);
        if (find(target.mapping, "embed_api_key") != nullptr || find(target.mapping, "embed_api_key_file") != nullptr)
            note("the key of embedder \"" + *name + "\" belongs into a user mapping of its own, not into \"embed_api_key\"");
    }
    if (embedder)
        refine(*embedder, target.options);
    return embedder;
}

} // namespace autosync::config
