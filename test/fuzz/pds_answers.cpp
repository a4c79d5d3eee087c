#include "atproto/answer.hpp"
#include "atproto/session.hpp"
#include "atproto/syntax.hpp"
#include "fuzz.hpp"

namespace autosync::fuzz {

using namespace autosync::atproto;

FUZZ(pds_answers)
{
    Input input{bytes};
    auto response = answer(input, input.text());
    for (const auto *const name : {"RateLimit-Remaining", "ratelimit-reset", "DPoP-Nonce"})
        if (auto value = input.text(); !value.empty())
            response.headers.emplace_back(name, value);
    const auto reading = read_answer(response);
    holds(reading.answer != Answer::done || (response.status >= 200 && response.status < 300));
    holds(reading.answer != Answer::limited || reading.retry_after);
    holds(!reading.reset || (reading.reset->count() >= 0 && reading.reset->count() <= 86'400));
    (void)account_state(reading.message);
    if (const auto granted = read_session(response))
        holds(is_did(granted->did) && !granted->tokens.access.empty() && !granted->tokens.refresh.empty());
    if (const auto granted = read_oauth(response, 1'700'000'000))
        holds(!granted->tokens.access.empty());
}

} // namespace autosync::fuzz
