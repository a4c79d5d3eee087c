#include "atproto/base.hpp"
#include "atproto/cid.hpp"
#include "fuzz.hpp"

namespace autosync::fuzz {

using namespace autosync::atproto;

/// What is written reads back the same, and each text that is read is the only one for its bytes.
FUZZ(bases)
{
    holds(from_base32(to_base32(bytes)) == bytes);
    holds(from_base64url(to_base64url(bytes)) == bytes);
    holds(from_base64(to_base64(bytes)) == bytes);
    if (const auto read = from_base32(bytes))
        holds(to_base32(*read) == bytes);
    if (const auto read = from_base64url(bytes))
        holds(to_base64url(*read) == bytes);
    if (const auto read = from_base64(bytes))
        holds(to_base64(*read) == bytes.substr(0, bytes.find('=')));
    (void)cid_bytes(bytes);
    holds(!cid_bytes(cid_of(bytes)).empty() && !cid_bytes(raw_cid_of(bytes)).empty());
}

} // namespace autosync::fuzz
