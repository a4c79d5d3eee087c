// Proofs of possession with the vectors of RFC 7515 and RFC 9449; sessions and refusals as a real PDS answers them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "atproto/answer.hpp"
#include "atproto/base.hpp"
#include "atproto/dpop.hpp"
#include "atproto/session.hpp"

namespace autosync::atproto {
namespace {

// RFC 7515, appendix A.3.
constexpr const char *jwk = R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"})";

TEST(AtprotoProof, VerifiesTheSignatureOfTheStandard)
{
    const ProofKey key{jwk};
    const std::string signed_text = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const auto signature = from_base64url("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
    ASSERT_TRUE(signature);
    EXPECT_TRUE(key.verify(signed_text, *signature));
    EXPECT_FALSE(key.verify(signed_text + "x", *signature));
    EXPECT_FALSE(key.verify(signed_text, signature->substr(1)));
    EXPECT_TRUE(key.verify("anything", key.sign("anything")));
    EXPECT_EQ(key.sign("anything").size(), 64U);
    EXPECT_EQ(key.thumbprint(), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"); // SHA-256 of the sorted members
}

TEST(AtprotoProof, SaysWhatItIsFor)
{
    const ProofKey key{jwk};
    // The token and its hash are those of RFC 9449, section 7.1.
    const auto jwt = proof(key, {"POST", "https://pds.example.com/xrpc/com.atproto.repo.putRecord?a=b#c", "the-nonce",
                                 "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU", 1'562'262'618, "an-id"});
    const auto dot = jwt.find('.');
    const auto second = jwt.find('.', dot + 1);
    const auto head = nlohmann::json::parse(from_base64url(jwt.substr(0, dot)).value());
    const auto body = nlohmann::json::parse(from_base64url(jwt.substr(dot + 1, second - dot - 1)).value());
    EXPECT_EQ(head["typ"], "dpop+jwt");
    EXPECT_EQ(head["alg"], "ES256");
    EXPECT_EQ(head["jwk"]["x"], "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
    EXPECT_FALSE(head["jwk"].contains("d"));
    EXPECT_EQ(body["htm"], "POST");
    EXPECT_EQ(body["htu"], "https://pds.example.com/xrpc/com.atproto.repo.putRecord");
    EXPECT_EQ(body["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    EXPECT_EQ(body["nonce"], "the-nonce");
    EXPECT_EQ(body["iat"], 1'562'262'618);
    EXPECT_EQ(body["jti"], "an-id");
    EXPECT_TRUE(key.verify(jwt.substr(0, second), from_base64url(jwt.substr(second + 1)).value()));

    const auto bare = proof(key, {"POST", "https://as.example.com/token", "", "", 1, "x"});
    const auto claims = nlohmann::json::parse(from_base64url(bare.substr(bare.find('.') + 1, bare.rfind('.') - bare.find('.') - 1)).value());
    EXPECT_FALSE(claims.contains("ath"));
    EXPECT_FALSE(claims.contains("nonce"));
    EXPECT_NE(proof_id(), proof_id());
}

TEST(AtprotoProof, TakesOnlyPrivateKeysOfTheCurve)
{
    for (const auto *bad : {"", "{}", "not a key", R"({"kty":"RSA"})",
                            R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})",
                            // of another point
                            R"({"kty":"EC","crv":"P-256","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
                               "d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"})"}) {
        try {
            const ProofKey key{bad};
            FAIL() << "taken: " << bad;
        } catch (const std::invalid_argument &error) {
            EXPECT_EQ(std::string{error.what()}.find("jpsQ"), std::string::npos);
        }
    }
}

http::Response answer(long status, const std::string &body)
{
    http::Response response;
    response.status = status;
    response.body = body;
    return response;
}

TEST(AtprotoAnswer, TellsWhoseTroubleItIs)
{
    const auto of = [](long status, const char *error) { return read_answer(answer(status, R"({"error":")" + std::string{error} + R"(","message":"m"})")).answer; };
    EXPECT_EQ(of(400, "ExpiredToken"), Answer::expired);
    EXPECT_EQ(of(400, "InvalidToken"), Answer::expired);
    EXPECT_EQ(of(401, "AuthMissing"), Answer::revoked);
    EXPECT_EQ(of(401, "AuthenticationRequired"), Answer::revoked);
    EXPECT_EQ(of(401, "AccountDeactivated"), Answer::revoked);
    EXPECT_EQ(of(401, "AccountTakedown"), Answer::revoked);
    EXPECT_EQ(of(403, "AccountNotFound"), Answer::revoked);
    EXPECT_EQ(of(400, "InvalidRequest"), Answer::invalid);
    EXPECT_EQ(of(403, "ScopeMissingError"), Answer::invalid);
    EXPECT_EQ(of(400, "InvalidSwap"), Answer::swapped);
    EXPECT_EQ(of(400, "RecordNotFound"), Answer::missing);
    EXPECT_EQ(of(401, "use_dpop_nonce"), Answer::nonce);
    EXPECT_EQ(of(400, "use_dpop_nonce"), Answer::nonce);
    EXPECT_EQ(of(413, "PayloadTooLargeError"), Answer::too_large);
    EXPECT_EQ(of(429, "RateLimitExceeded"), Answer::limited);
    EXPECT_EQ(of(500, "InternalServerError"), Answer::broken);
    EXPECT_EQ(read_answer(answer(500, "<html>")).answer, Answer::unreachable);
    EXPECT_EQ(of(503, "x"), Answer::unreachable);
    EXPECT_EQ(read_answer(answer(200, "{}")).answer, Answer::done);
    http::Response failed;
    failed.failure = http::Response::Failure::timeout;
    EXPECT_EQ(read_answer(failed).answer, Answer::unknown);
    failed.failure = http::Response::Failure::connect;
    EXPECT_EQ(read_answer(failed).answer, Answer::unreachable);
    EXPECT_EQ(read_answer(answer(400, R"({"error":"InvalidRequest","message":"bad"})")).message, "InvalidRequest: bad");
}

TEST(AtprotoAnswer, TellsAnAccountFromItsSession)
{
    EXPECT_EQ(account_state("AccountDeactivated: Account is deactivated"), "deactivated");
    EXPECT_EQ(account_state("AccountTakedown: Account has been taken down"), "taken_down");
    EXPECT_EQ(account_state("takendown"), "taken_down");
    EXPECT_EQ(account_state("ExpiredToken: Token has been revoked"), "revoked");
}

TEST(AtprotoAnswer, KnowsWhenALimitEnds)
{
    auto limited = answer(429, R"({"error":"RateLimitExceeded"})");
    EXPECT_EQ(read_answer(limited).retry_after, std::chrono::seconds{60});
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    limited.headers = {{"RateLimit-Reset", std::to_string(now + 100)}, {"ratelimit-remaining", "0"}};
    EXPECT_NEAR(static_cast<double>(read_answer(limited).retry_after->count()), 100, 2);
    EXPECT_EQ(read_answer(limited).remaining, 0U);
    limited.retry_after = std::chrono::seconds{7};
    EXPECT_EQ(read_answer(limited).retry_after, std::chrono::seconds{7});
}

TEST(AtprotoSession, IsRead)
{
    const auto token = "e30." + to_base64url(R"({"exp":1700000000})") + ".sig";
    const auto granted = read_session(answer(200, R"({"did":"did:plc:abc","handle":"user1.test","accessJwt":")" + token +
                                                      R"(","refreshJwt":"r","active":false,"status":"deactivated",
        "didDoc":{"id":"did:plc:abc","service":[{"id":"#other","serviceEndpoint":"https://no"},{"id":"#atproto_pds","serviceEndpoint":"https://pds.example.com/"}]}})"));
    ASSERT_TRUE(granted);
    EXPECT_EQ(granted->did, "did:plc:abc");
    EXPECT_EQ(granted->pds, "https://pds.example.com");
    EXPECT_EQ(granted->tokens.expires_at, 1'700'000'000);
    EXPECT_FALSE(granted->active);
    EXPECT_EQ(granted->status, "deactivated");
    EXPECT_FALSE(read_session(answer(401, R"({"error":"AuthenticationRequired"})")));
    EXPECT_FALSE(read_session(answer(200, R"({"did":"nobody","accessJwt":"a","refreshJwt":"r"})")));
    EXPECT_EQ(pds_of(R"({"id":"did:plc:other","service":[{"id":"#atproto_pds","serviceEndpoint":"https://x"}]})", "did:plc:abc"), "");
}

/// A server may say what it likes: what cannot be is brought into bounds, and raises nothing.
TEST(AtprotoSession, ReckonsWithNoTimeThatIsNone)
{
    const ProofKey key{jwk};
    EXPECT_NO_THROW((void)proof(key, {"POST", "https://pds", "\x9d\xff", "", 1, "x"}));
    EXPECT_EQ(expiry_of("e30." + to_base64url(R"({"exp":-9223372036854775808})") + ".c2ln"), 0);
    EXPECT_EQ(expiry_of("e30." + to_base64url(R"({"exp":9223372036854775807})") + ".c2ln"), 253'402'300'799);
    auto granted = answer(200, R"({"access_token":"a","refresh_token":"r","expires_in":9223372036854775807})");
    EXPECT_EQ(read_oauth(granted, 1'700'000'000)->tokens.expires_at, 253'402'300'799);
    auto limited = answer(429, R"({"error":"RateLimitExceeded"})");
    limited.headers = {{"ratelimit-reset", "-9223372036854775808"}};
    EXPECT_EQ(read_answer(limited).reset, std::chrono::seconds{0});
}

TEST(AtprotoSession, AsksWhereItShould)
{
    EXPECT_EQ(create_session("http://h", "u\"1", "p").body, R"({"identifier":"u\"1","password":"p"})");
    EXPECT_EQ(refresh_session("http://h").url, "http://h/xrpc/com.atproto.server.refreshSession");
    EXPECT_EQ(refresh_oauth("http://h/token", "https://c/a b", "r+").body, "grant_type=refresh_token&client_id=https%3A%2F%2Fc%2Fa%20b&refresh_token=r%2B");
    EXPECT_EQ(did_document_url("did:plc:abc", "https://plc.directory"), "https://plc.directory/did:plc:abc");
    EXPECT_EQ(did_document_url("did:web:example.com", "x"), "https://example.com/.well-known/did.json");
    EXPECT_EQ(did_document_url("did:web:example.com%3A80", "x"), "");
    EXPECT_EQ(did_document_url("did:web:localhost%3A80", "x"), "http://localhost:80/.well-known/did.json");
    EXPECT_EQ(did_document_url("did:web:localhost%3A80%2Fx", "x"), "");
    EXPECT_EQ(did_document_url("did:key:abc", "x"), "");
    EXPECT_EQ(expiry_of("no token"), 0);
}

} // namespace
} // namespace autosync::atproto
