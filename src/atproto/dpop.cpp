#include "atproto/dpop.hpp"

#include <array>
#include <stdexcept>

#include <nlohmann/json.hpp>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "atproto/base.hpp"

namespace autosync::atproto {
namespace {

constexpr std::size_t part = 32; ///< bytes of a coordinate, of r and of s

template <auto Free> struct Freeing {
    template <typename It> void operator()(It *it) const noexcept { Free(it); }
};
using Bio = std::unique_ptr<BIO, Freeing<BIO_free>>;
using Number = std::unique_ptr<BIGNUM, Freeing<BN_clear_free>>;
using Context = std::unique_ptr<EVP_PKEY_CTX, Freeing<EVP_PKEY_CTX_free>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Freeing<EVP_MD_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freeing<EVP_PKEY_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Freeing<ECDSA_SIG_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Freeing<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Freeing<OSSL_PARAM_free>>;

[[noreturn]] void malformed() { throw std::invalid_argument{"the key is no private P-256 key, as JWK or PEM"}; }

void require(bool done)
{
    if (!done)
        throw std::runtime_error{"OpenSSL refuses the key or its use"};
}

const unsigned char *raw(std::string_view text) { return reinterpret_cast<const unsigned char *>(text.data()); }

std::string member(const nlohmann::json &jwk, const char *name)
{
    const auto found = jwk.find(name);
    auto bytes = found != jwk.end() && found->is_string() ? from_base64url(found->get_ref<const std::string &>()) : std::nullopt;
    if (!bytes || bytes->size() != part)
        malformed();
    return std::move(*bytes);
}

Key from_jwk(std::string_view text)
{
    const auto jwk = nlohmann::json::parse(text, nullptr, false);
    if (!jwk.is_object() || jwk.value("kty", nlohmann::json{}) != "EC" || jwk.value("crv", nlohmann::json{}) != "P-256")
        malformed();
    const std::string point = '\x04' + member(jwk, "x") + member(jwk, "y");
    const std::string secret = member(jwk, "d");
    const Number number{BN_bin2bn(raw(secret), static_cast<int>(secret.size()), nullptr)};
    const Builder builder{OSSL_PARAM_BLD_new()};
    require(number && builder && OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
            OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) == 1 &&
            OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, number.get()) == 1);
    const Parameters parameters{OSSL_PARAM_BLD_to_param(builder.get())};
    const Context context{EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr)};
    EVP_PKEY *made = nullptr;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_KEYPAIR, parameters.get()) != 1)
        malformed();
    Key key{made};
    const Context checking{EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr)};
    if (!checking || EVP_PKEY_check(checking.get()) != 1) // the halves may not belong together
        malformed();
    return key;
}

Key from_pem(std::string_view text)
{
    const Bio bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
    const auto no_password = [](char *, int, int, void *) { return -1; };
    Key key{bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr) : nullptr};
    std::array<char, 64> group{};
    if (!key || EVP_PKEY_get_group_name(key.get(), group.data(), group.size(), nullptr) != 1 || std::string_view{group.data()} != "prime256v1")
        malformed();
    return key;
}

std::string coordinate(EVP_PKEY *key, const char *name)
{
    BIGNUM *read = nullptr;
    require(EVP_PKEY_get_bn_param(key, name, &read) == 1);
    const Number number{read};
    std::array<unsigned char, part> bytes{};
    require(BN_bn2binpad(number.get(), bytes.data(), static_cast<int>(part)) == static_cast<int>(part));
    return to_base64url({reinterpret_cast<const char *>(bytes.data()), part});
}

EVP_PKEY *pkey(const std::shared_ptr<void> &key) { return static_cast<EVP_PKEY *>(key.get()); }

std::string sha256(std::string_view text)
{
    std::array<char, SHA256_DIGEST_LENGTH> digest{};
    SHA256(raw(text), text.size(), reinterpret_cast<unsigned char *>(digest.data()));
    return {digest.begin(), digest.end()};
}

} // namespace

ProofKey::ProofKey(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t\r\n");
    Key key = first != std::string_view::npos && text[first] == '{' ? from_jwk(text) : from_pem(text);
    key_ = std::shared_ptr<void>{key.release(), [](void *it) { EVP_PKEY_free(static_cast<EVP_PKEY *>(it)); }};
    public_jwk_ = R"({"crv":"P-256","kty":"EC","x":")" + coordinate(pkey(key_), OSSL_PKEY_PARAM_EC_PUB_X) + R"(","y":")" +
                  coordinate(pkey(key_), OSSL_PKEY_PARAM_EC_PUB_Y) + R"("})";
}

std::string ProofKey::sign(std::string_view data) const
{
    const Digest digest{EVP_MD_CTX_new()};
    std::array<unsigned char, 128> der{};
    std::size_t length = der.size();
    require(digest && EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, pkey(key_)) == 1 &&
            EVP_DigestSign(digest.get(), der.data(), &length, raw(data), data.size()) == 1);
    const unsigned char *at = der.data();
    const Signature signature{d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(length))};
    require(signature != nullptr);
    std::array<unsigned char, 2 * part> out{};
    require(BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out.data(), static_cast<int>(part)) == static_cast<int>(part) &&
            BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out.data() + part, static_cast<int>(part)) == static_cast<int>(part));
    return {reinterpret_cast<const char *>(out.data()), out.size()};
}

bool ProofKey::verify(std::string_view data, std::string_view signature) const
{
    if (signature.size() != 2 * part)
        return false;
    const Signature both{ECDSA_SIG_new()};
    Number r{BN_bin2bn(raw(signature), static_cast<int>(part), nullptr)};
    Number s{BN_bin2bn(raw(signature.substr(part)), static_cast<int>(part), nullptr)};
    require(both && r && s && ECDSA_SIG_set0(both.get(), r.get(), s.get()) == 1);
    (void)r.release();
    (void)s.release();
    std::array<unsigned char, 128> der{};
    unsigned char *end = der.data();
    const int length = i2d_ECDSA_SIG(both.get(), &end);
    const Digest digest{EVP_MD_CTX_new()};
    return length > 0 && digest && EVP_DigestVerifyInit(digest.get(), nullptr, EVP_sha256(), nullptr, pkey(key_)) == 1 &&
           EVP_DigestVerify(digest.get(), der.data(), static_cast<std::size_t>(length), raw(data), data.size()) == 1;
}

std::string ProofKey::thumbprint() const { return to_base64url(sha256(public_jwk_)); }

std::string proof(const ProofKey &key, const ProofOf &of)
{
    using nlohmann::ordered_json;
    ordered_json claims{{"jti", of.id}, {"htm", of.method}, {"htu", of.url.substr(0, of.url.find_first_of("?#"))}, {"iat", of.issued_at}};
    if (!of.access_token.empty())
        claims["ath"] = to_base64url(sha256(of.access_token));
    if (!of.nonce.empty())
        claims["nonce"] = of.nonce;
    const std::string head = R"({"typ":"dpop+jwt","alg":"ES256","jwk":)" + key.public_jwk() + "}";
    const std::string body = to_base64url(head) + "." + to_base64url(claims.dump(-1, ' ', false, ordered_json::error_handler_t::replace)); // a nonce may be any bytes
    return body + "." + to_base64url(key.sign(body));
}

std::string proof_id()
{
    std::array<unsigned char, 16> bytes{};
    require(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
    return to_base64url({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
}

} // namespace autosync::atproto
