#include "targets/target.hpp"

#include <utility>

#include "http/secrets.hpp"
#include "targets/secrets.hpp"

namespace autosync::targets {

std::vector<Planned> Target::preview(const Server &server, const Batch &batch) const
{
    constexpr std::size_t only = 0;
    return plan(server, batch, std::span{&only, 1}, 1);
}

std::optional<http::Request> Target::inspect(const Server & /*server*/, const mapping::Source & /*source*/, const Mapping & /*mapping*/,
                                             const mapping::Change & /*change*/) const
{
    return std::nullopt;
}

Held Target::read_held(const Server & /*server*/, const mapping::Source & /*source*/, const Mapping & /*mapping*/, const mapping::Change & /*change*/,
                       const http::Response & /*response*/) const
{
    return {};
}

std::string without_secrets(const Server &server, std::string text, const http::Access *own)
{
    return http::without_secrets(std::move(text), {&server.access, server.embedder ? &server.embedder->access : nullptr, own});
}

http::Response without_secrets(const Server &server, http::Response response, const http::Access *own)
{
    response.body = without_secrets(server, std::move(response.body), own);
    return response;
}

Verdict read(const Target &target, const Server &server, const Planned &planned, const http::Response &response)
{
    const auto hear = [&](const http::Response &said) {
        return planned.dialogue ? planned.dialogue->hear(said) : target.interpret(server, planned, said);
    };
    return hear(without_secrets(server, response, planned.request.access.get()));
}

} // namespace autosync::targets
