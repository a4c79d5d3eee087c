// Fingerprints, the cache of vectors, requests to an embedder.
#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "embed/cache.hpp"
#include "embed/hash.hpp"
#include "embed/request.hpp"
#include "embed/vector.hpp"

namespace autosync::embed {
namespace {

Vector vector_of(std::size_t bytes) { return std::make_shared<const std::string>(bytes, '1'); }

TEST(Sha256, IsThatOfTheText) { EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); }

TEST(Fingerprint, IsWhatTheDocumentationSays) { EXPECT_EQ(fingerprint("m", 384, "warm coat"), "9f89d01e02a98431f44d09329f5823a9"); }

TEST(Uuid, IsOfVersionFive)
{
    EXPECT_EQ(uuid_of("6f1d3c52-8a4e-4b7f-9c21-0d3e4f5a6b7c", "public.docs/a"), "600f588c-9d82-5147-84b8-a9355aa8d7eb");
    EXPECT_TRUE(is_uuid("600f588c-9d82-5147-84b8-a9355aa8d7eb"));
    for (const auto *const other :
         {"", "600f588c9d82514784b8a9355aa8d7eb", "600F588C-9d82-5147-84b8-a9355aa8d7eb", "600f588c-9d82-5147-84b8-a9355aa8d7e-"})
        EXPECT_FALSE(is_uuid(other)) << other;
}

TEST(Cache, DropsWhatWasNotAskedForTheLongest)
{
    Cache cache{3 * 1'250};
    for (const auto *const name : {"a", "b", "c"})
        cache.put(name, vector_of(1'000));
    EXPECT_EQ(cache.size(), 3U);
    EXPECT_NE(cache.find("a"), nullptr);
    cache.put("d", vector_of(1'000));
    EXPECT_EQ(cache.find("b"), nullptr);
    EXPECT_NE(cache.find("a"), nullptr);
    EXPECT_NE(cache.find("d"), nullptr);
    EXPECT_LE(cache.bytes(), 3U * 1'250);
}

TEST(Cache, StaysWithinItsBytes)
{
    Cache cache{100'000};
    for (int at = 0; at < 1'000; ++at) {
        cache.put(std::to_string(at % 300), vector_of(static_cast<std::size_t>(at * 7 % 5'000)));
        EXPECT_LE(cache.bytes(), 100'000U);
    }
    EXPECT_GT(cache.size(), 10U);
    const auto before = cache.size();
    cache.put("huge", vector_of(200'000));
    EXPECT_EQ(cache.find("huge"), nullptr);
    EXPECT_EQ(cache.size(), before);
}

TEST(Cache, GivesTheNewestOfTwo)
{
    Cache cache;
    cache.put("a", vector_of(5));
    cache.put("a", vector_of(7));
    EXPECT_EQ(cache.find("a")->size(), 7U);
    EXPECT_EQ(cache.size(), 1U);
}

TEST(EmbedRequest, SaysModelDimensionsAndTexts)
{
    Embedder embedder;
    embedder.access.url = "http://embedder/v1";
    embedder.organization = "org-1";
    const std::array<std::string_view, 2> texts{"a \"quoted\"\nline", "\xff"};
    const auto request = embeddings_request(embedder, "m", 256, texts);
    EXPECT_EQ(request.url, "http://embedder/v1/embeddings");
    EXPECT_EQ(request.peer, http::Peer::embedder);
    EXPECT_EQ(request.headers.back(), (std::pair<std::string, std::string>{"OpenAI-Organization", "org-1"}));
    EXPECT_EQ(nlohmann::json::parse(request.body),
              (nlohmann::json{{"model", "m"}, {"encoding_format", "float"}, {"dimensions", 256}, {"input", {"a \"quoted\"\nline", "\xEF\xBF\xBD"}}}));
    EXPECT_FALSE(nlohmann::json::parse(embeddings_request(embedder, "m", 0, texts).body).contains("dimensions"));
}

TEST(EmbedRequest, KeepsWithinTheLimits)
{
    Embedder embedder;
    embedder.max_inputs = 3;
    embedder.max_tokens_per_request = 100;
    const std::vector<std::string_view> small(5, "x");
    EXPECT_EQ(first_piece(embedder, small), 3U);
    const std::string long_text(150, 'x'); // 50 tokens
    const std::vector<std::string_view> two{long_text, long_text, "x"};
    EXPECT_EQ(first_piece(embedder, two), 2U);
    const std::string too_long(5'000, 'x');
    const std::vector<std::string_view> alone{too_long, "x"};
    EXPECT_EQ(first_piece(embedder, alone), 1U);
}

TEST(EmbedRequest, CutsBetweenCharacters)
{
    EXPECT_EQ(first_half("abcd"), "ab");
    EXPECT_EQ(first_half("a\xC3\xA4z"), "a");
    EXPECT_EQ(first_half("\xF0\x9F\x98\x80"), "");
    EXPECT_EQ(first_half(""), "");
}

TEST(VectorText, CountsNumbersThatAFloatHolds)
{
    EXPECT_EQ(count_numbers("[1,2.5,-3e-5]"), 3U);
    EXPECT_EQ(count_numbers(" [ 1 ,\n 0 ]\n"), 2U);
    EXPECT_EQ(count_numbers("[1e-400]"), 1U);
    for (const auto *const other : {"",     "[]",    "[1",         "1]",     "[1,]",   "[,1]",     "[1 2]", "[01]", "[1.]",    "[.5]",      "[+1]",
                                    "[1e]", "[NaN]", "[Infinity]", "[null]", "[1e39]", "[-1e400]", "[[1]]", "[1]]", "[\"1\"]", "{1:0.5}/3", "[1]x"})
        EXPECT_FALSE(count_numbers(other)) << other;
    EXPECT_FALSE(count_numbers("[" + std::string(40, '9') + "]"));
    EXPECT_EQ(count_numbers("[0." + std::string(400, '1') + "]"), 1U);
}

TEST(VectorText, DecodesBase64)
{
    const auto decoded = from_base64("AAAAPwAAoL+V v9Yz");
    EXPECT_FALSE(decoded); // a blank inside
    const auto vector = from_base64("AAAAPwAAoL+Vv9Yz");
    ASSERT_TRUE(vector);
    EXPECT_EQ(vector->text, "[0.5,-1.25,1e-07]");
    EXPECT_EQ(vector->dimensions, 3U);
    for (const auto *const other : {"", "AAAA", "AADAfwAAgD8=", "!!!!!!!!", "AAAAPw"})
        EXPECT_FALSE(from_base64(other)) << other;
}

} // namespace
} // namespace autosync::embed
