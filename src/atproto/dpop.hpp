// Proofs of possession (RFC 9449): a session handed over by an OAuth client is bound to a key, and every request proves that we hold it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace autosync::atproto {

/// A P-256 key. Copies share it.
class ProofKey final {
public:
    /// A private JWK ({"kty":"EC","crv":"P-256","x":…,"y":…,"d":…}) or a PEM. Throws std::invalid_argument, without showing any of it.
    explicit ProofKey(std::string_view text);

    /// ES256: the signature as raw r and s, 64 bytes.
    [[nodiscard]] std::string sign(std::string_view data) const;
    [[nodiscard]] bool verify(std::string_view data, std::string_view signature) const;
    [[nodiscard]] const std::string &public_jwk() const noexcept { return public_jwk_; } ///< members sorted, as thumbprints want it
    [[nodiscard]] std::string thumbprint() const;                                        ///< RFC 7638

private:
    std::shared_ptr<void> key_; ///< EVP_PKEY
    std::string public_jwk_;
};

struct ProofOf {
    std::string_view method;
    std::string_view url;          ///< query and fragment are left out
    std::string_view nonce;        ///< of the server, empty for none
    std::string_view access_token; ///< empty for a token endpoint
    std::int64_t issued_at = 0;    ///< seconds since 1970
    std::string_view id;           ///< unique
};

/// A signed JWT for the header DPoP.
[[nodiscard]] std::string proof(const ProofKey &key, const ProofOf &of);
/// A fresh random identifier for a proof.
[[nodiscard]] std::string proof_id();

} // namespace autosync::atproto
