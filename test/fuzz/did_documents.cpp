#include "atproto/session.hpp"
#include "atproto/syntax.hpp"
#include "fuzz.hpp"

namespace autosync::fuzz {

using namespace autosync::atproto;

FUZZ(did_documents)
{
    Input input{bytes};
    const auto did = input.text();
    const auto document = input.rest();
    const auto url = did_document_url(did, "https://plc.directory");
    if (!url.empty()) {
        holds(is_did(did));
        holds(url.starts_with("https://") || url.starts_with("http://localhost:"));
        holds(url.find_first_of(" \r\n?#@") == std::string::npos);
    }
    (void)pds_of(document, did);
    (void)pds_of(document, "did:plc:abc");
}

} // namespace autosync::fuzz
