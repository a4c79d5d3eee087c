// What a sync and its server say together.
#include <charconv>

#include "targets/qdrant_mapping.hpp"

namespace autosync::targets::qdrant {
namespace {

std::string option(const Server &server, const std::string &name)
{
    const auto found = server.options.find(name);
    return found == server.options.end() ? "" : found->second;
}

} // namespace

std::string model_of(const Server &server, const Compiled &mapping)
{
    return !mapping.model.empty() || !server.embedder ? mapping.model : server.embedder->model;
}

unsigned dimensions_of(const Server &server, const Compiled &mapping)
{
    if (mapping.dimensions != 0)
        return mapping.dimensions;
    if (server.embedder && server.embedder->dimensions != 0)
        return server.embedder->dimensions;
    const auto text = option(server, "dimensions");
    unsigned declared = 0;
    (void)std::from_chars(text.data(), text.data() + text.size(), declared);
    return declared;
}

std::string distance_of(const Server &server)
{
    const auto declared = option(server, "distance");
    return declared.empty() ? "Cosine" : declared;
}

std::string server_problem(const Server &server, const Compiled &mapping)
{
    if (!mapping.embeds())
        return "";
    if (!server.embedder || server.embedder->access.url.empty())
        return "server \"" + server.name + "\" has no embedder: set its option \"embed_url\" or \"embedder\"";
    return model_of(server, mapping).empty() ? "there is no model to embed with: set option \"model\" of the sync or of server \"" + server.name + '"'
                                             : "";
}

} // namespace autosync::targets::qdrant
