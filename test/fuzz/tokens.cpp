#include "atproto/base.hpp"
#include "atproto/session.hpp"
#include "fuzz.hpp"

namespace autosync::fuzz {

using namespace autosync::atproto;

/// JWTs, as they are and as claims in one.
FUZZ(tokens)
{
    (void)expiry_of(bytes);
    (void)expiry_of("e30." + to_base64url(bytes) + ".c2ln");
}

} // namespace autosync::fuzz
