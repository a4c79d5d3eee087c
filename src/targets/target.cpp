#include "targets/target.hpp"

namespace autosync::targets {

std::vector<Planned> Target::preview(const Server &server, const Batch &batch) const
{
    constexpr std::size_t only = 0;
    return plan(server, batch, std::span{&only, 1}, 1);
}

Verdict read(const Target &target, const Server &server, const Planned &planned, const http::Response &response)
{
    return planned.dialogue ? planned.dialogue->hear(response) : target.interpret(server, planned, response);
}

} // namespace autosync::targets
