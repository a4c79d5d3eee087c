#include <optional>

#include "atproto/dpop.hpp"
#include "fuzz.hpp"

namespace autosync::fuzz {

using namespace autosync::atproto;

/// Keys that users hand over, and nonces that servers do: three parts without anything that ends a header.
FUZZ(proofs)
{
    Input input{bytes};
    const bool keyed = input.flag();
    if (keyed) {
        std::optional<ProofKey> key;
        if (accepts([&] { key.emplace(input.rest()); }))
            holds(key->verify("data", key->sign("data")));
        return;
    }
    static const ProofKey known{R"({"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"})"};
    const auto url = input.text();
    const auto nonce = input.text();
    const auto token = input.text();
    const auto jwt = proof(known, {"POST", url, nonce, token, 1'700'000'000, "id"});
    constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    holds(jwt.find_first_not_of(plain) == std::string::npos);
    const auto last = jwt.rfind('.');
    holds(jwt.find('.') < last);
}

} // namespace autosync::fuzz
