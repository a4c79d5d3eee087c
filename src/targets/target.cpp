#include "targets/target.hpp"

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

Verdict read(const Target &target, const Server &server, const Planned &planned, const http::Response &response)
{
    return planned.dialogue ? planned.dialogue->hear(response) : target.interpret(server, planned, response);
}

} // namespace autosync::targets
