// Names, record keys, content identifiers: with the vectors of the protocol's own test suites and of a real PDS.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "atproto/base.hpp"
#include "atproto/blob.hpp"
#include "atproto/cid.hpp"
#include "atproto/record.hpp"
#include "atproto/syntax.hpp"
#include "atproto/tid.hpp"

namespace autosync::atproto {
namespace {

TEST(AtprotoSyntax, Nsids)
{
    for (const auto *good : {"app.bsky.feed.post", "com.example.fooBar", "net.users.bob.ping", "a.b.c", "cn.8.lex.stuff"})
        EXPECT_TRUE(is_nsid(good)) << good;
    for (const auto *bad : {"", "com.example", "com.example.3", "com.example.foo-bar", "example.com.foo*", "com..foo.bar", "com.example.foo.", "-a.b.c", "com.exa💩ple.thing"})
        EXPECT_FALSE(is_nsid(bad)) << bad;
    EXPECT_FALSE(is_nsid("com." + std::string(64, 'o') + ".foo"));
}

TEST(AtprotoSyntax, Dids)
{
    for (const auto *good : {"did:plc:ewvi7nxzyoun6zhxrhs64oiz", "did:web:example.com", "did:method:val:two", "did:m:v", "did:m:-:_:.:%ab"})
        EXPECT_TRUE(is_did(good)) << good;
    for (const auto *bad : {"", "did", "did:plc", "did:plc:", "did:METHOD:val", "did:method:val:", "did:method:val%", "did:method:v/al", "DID:method:val"})
        EXPECT_FALSE(is_did(bad)) << bad;
}

TEST(AtprotoSyntax, RecordKeys)
{
    for (const auto *good : {"3jui7kd54zh2y", "self", "example.com", "~1.2-3_", "dHJ1ZQ", "pre:fix", "_"})
        EXPECT_TRUE(is_rkey(good)) << good;
    for (const auto *bad : {"", ".", "..", "alpha/beta", "#extra", "@handle", "any space", "any+space", "number[3]", "dHJ1ZQ=="})
        EXPECT_FALSE(is_rkey(bad)) << bad;
    EXPECT_TRUE(is_rkey(std::string(512, 'o')));
    EXPECT_FALSE(is_rkey(std::string(513, 'o')));
}

TEST(AtprotoSyntax, Datetimes)
{
    for (const auto *good : {"1985-04-12T23:20:50.123Z", "1985-04-12T23:20:50Z", "1985-04-12T23:20:50.0123456789Z", "0001-01-01T00:00:00.000Z",
                             "1985-04-12T23:20:50.123+01:45", "2024-02-29T00:00:00-07:00"})
        EXPECT_TRUE(is_datetime(good)) << good;
    for (const auto *bad : {"", "1985-04-12", "1985-04-12T23:20Z", "1985-04-12T23:20:50.123", "1985-04-12 23:20:50Z", "1985-04-12T23:20:50.Z", "0000-01-01T00:00:00Z",
                            "2023-02-29T00:00:00Z", "1985-13-12T23:20:50Z", "1985-04-12t23:20:50Z", "1985-04-12T23:99:50Z", "1985-04-12T23:20:50-00:00", "1985-04-12T23:20:50+0100"})
        EXPECT_FALSE(is_datetime(bad)) << bad;
}

TEST(AtprotoTid, FollowsTime)
{
    EXPECT_EQ(tid(0, 0), "2222222222222");
    EXPECT_EQ(tid(1, 0), "2222222222322");
    EXPECT_EQ(tid(0, 31), "222222222222z");
    EXPECT_EQ(tid((std::int64_t{1} << 53) - 1, 1'023), "bzzzzzzzzzzzz");
    EXPECT_EQ(tid(1'700'000'000'000'000, 7), "3ke6kg3wk222b"); // as the reference implementation has it
    EXPECT_LT(tid(1'699'999'999'999'999, 1'023), tid(1'700'000'000'000'000, 0));
}

TEST(AtprotoTid, IsRecognised)
{
    for (const auto *good : {"3jzfcijpj2z2a", "7777777777777", "3zzzzzzzzzzzz", "2222222222222"})
        EXPECT_TRUE(is_tid(good)) << good;
    for (const auto *bad : {"3jzfcijpj2z21", "0000000000000", "3jzfcijpj2z2aa", "3jzfcijpj2z2", "3jzf-cij-pj2z-2a", "zzzzzzzzzzzzz", "kjzfcijpj2z2a"})
        EXPECT_FALSE(is_tid(bad)) << bad;
}

TEST(AtprotoBase, ThereAndBack)
{
    EXPECT_EQ(to_base32("foobar"), "mzxw6ytboi");
    EXPECT_EQ(to_base32("fooba"), "mzxw6ytb");
    EXPECT_EQ(from_base32("mzxw6ytboi"), "foobar");
    EXPECT_EQ(from_base32("mzxw6ytbo1"), std::nullopt);
    EXPECT_EQ(to_base64url("\xff\xfe?"), "__4_");
    EXPECT_EQ(from_base64url("__4_"), "\xff\xfe?");
    EXPECT_EQ(to_base64("f"), "Zg");
    EXPECT_EQ(from_base64("Zg=="), "f");
    EXPECT_EQ(from_base64("Zg"), "f");
    EXPECT_EQ(from_base64("Zg="), std::nullopt);
    EXPECT_EQ(from_base64("Zh"), std::nullopt); // bits that are left over
    EXPECT_EQ(from_base64("Z"), std::nullopt);
}

/// The fixtures of atproto's own interoperability tests.
TEST(AtprotoCid, MatchesTheProtocolsFixtures)
{
    const auto cid = [](const char *text) { return cid_of(dag_cbor(nlohmann::json::parse(text))); };
    EXPECT_EQ(cid(R"({"string":"abc","unicode":"a~öñ©⽘☎𓋓😀👨‍👩‍👧‍👧","integer":123,"bool":true,"null":null,"array":["abc","def","ghi"],
        "object":{"string":"abc","number":123,"bool":true,"arr":["abc","def","ghi"]}})"),
              "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq");
    EXPECT_EQ(cid(R"({"a":{"b":[{"d":[{"$link":"bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"},
        {"$link":"bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"}],
        "e":[{"$bytes":"nFERjvLLiw9qm45JrqH9QTzyC2Lu1Xb4ne6+sBrCzI0"},{"$bytes":"iE+sPoHobU9tSIqGI+309LLCcWQIRmEXwxcoDt19tas"}]}]}})"),
              "bafyreid3imdulnhgeytpf6uk7zahjvrsqlofkmm5b5ub2maw4kqus6jp4i");
}

TEST(AtprotoCid, EncodesCanonically)
{
    const auto cbor = [](const char *text) { return to_base64(dag_cbor(nlohmann::json::parse(text))); };
    EXPECT_EQ(cbor(R"({"bb":1,"a":2,"c":3})"), to_base64(std::string{"\xA3\x61\x61\x02\x61\x63\x03\x62\x62\x62\x01"})); // by length, then by bytes
    EXPECT_EQ(cbor("[-1,23,24,255,256,65536,4294967296,-9007199254740991]"),
              to_base64(std::string{"\x88\x20\x17\x18\x18\x18\xFF\x19\x01\x00\x1A\x00\x01\x00\x00\x1B\x00\x00\x00\x01\x00\x00\x00\x00\x3B\x00\x1F\xFF\xFF\xFF\xFF\xFF\xFE", 33}));
    EXPECT_THROW((void)dag_cbor(nlohmann::json(1.5)), std::invalid_argument);
    EXPECT_EQ(raw_cid_of("hello world"), "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
}

Record finish(const char *text) { return finish_record(parse_record(text), "com.example.note", "2024-01-02T03:04:05.678Z"); }

std::string problem(const char *text)
{
    try {
        (void)finish(text);
    } catch (const std::invalid_argument &error) {
        return error.what();
    }
    return "";
}

TEST(AtprotoBlob, IsWhatItsBytesSay)
{
    EXPECT_EQ(content_type_of("\x89PNG\r\n\x1a\n…"), "image/png");
    EXPECT_EQ(content_type_of("\xff\xd8\xff\xe0"), "image/jpeg");
    EXPECT_EQ(content_type_of(std::string_view{"RIFF\0\0\0\0WEBPVP8 ", 16}), "image/webp");
    EXPECT_EQ(content_type_of(std::string_view{"\0\0\0\x18" "ftypisom", 12}), "video/mp4");
    EXPECT_EQ(content_type_of("RIFF"), "application/octet-stream");
    EXPECT_EQ(content_type_of(""), "application/octet-stream");
}

TEST(AtprotoBlob, HasAPlaceInARecord)
{
    EXPECT_EQ(parse_place("a.b[2].c"), (Place{std::string{"a"}, std::string{"b"}, std::size_t{2}, std::string{"c"}}));
    for (const auto *const wrong : {"", ".a", "a.", "[0]", "a[x]", "a[0", "a]", "a[100]", "a$b"})
        EXPECT_THROW((void)parse_place(wrong), std::invalid_argument) << wrong;
    const Blob blob{"x", "image/png", raw_cid_of("x"), "x"};
    auto record = nlohmann::json::parse(R"({"list": [{"alt": "a"}], "text": "t"})");
    place_blob(record, parse_place("list[0].image"), blob);
    EXPECT_EQ(record["list"][0]["image"]["ref"]["$link"], blob.cid);
    for (const auto *const wrong : {"list[2]", "text", "text.x", "list.x"})
        EXPECT_THROW(place_blob(record, parse_place(wrong), blob), std::invalid_argument) << wrong;
    auto other = blob;
    other.type = "image/gif";
    retype_references(record, other);
    EXPECT_EQ(record["list"][0]["image"]["mimeType"], "image/gif");
}

TEST(AtprotoRecord, IsCompleted)
{
    EXPECT_EQ(finish(R"({"text":"hi"})").json, R"({"$type":"com.example.note","createdAt":"2024-01-02T03:04:05.678Z","text":"hi"})");
    EXPECT_EQ(finish(R"({"createdAt":"2020-01-01T00:00:00Z"})").json, R"({"$type":"com.example.note","createdAt":"2020-01-01T00:00:00Z"})");
    EXPECT_EQ(finish(R"({"n":2.0,"big":1e3})").json, R"({"$type":"com.example.note","big":1000,"createdAt":"2024-01-02T03:04:05.678Z","n":2})");
    EXPECT_EQ(finish(R"({"n":2.0})").cid, finish(R"({"n":2})").cid);
}

TEST(AtprotoRecord, ErrorsNameTheField)
{
    EXPECT_EQ(problem(R"({"a":[{"b":1.5}]})").substr(0, 16), "field \"a[0].b\" i");
    EXPECT_NE(problem(R"({"n":9007199254740992})").find("\"n\" is beyond 2^53-1"), std::string::npos);
    EXPECT_EQ(problem(R"({"n":9007199254740991,"m":-9007199254740991})"), "");
    EXPECT_NE(problem(R"({"createdAt":"2024-01-01 00:00:00"})").find("\"createdAt\""), std::string::npos);
    EXPECT_NE(problem(R"({"$type":"com.example.other"})").find("\"$type\""), std::string::npos);
    EXPECT_NE(problem(R"({"b":{"$bytes":"@"}})").find("\"b\" holds malformed \"$bytes\""), std::string::npos);
    EXPECT_NE(problem(R"({"l":{"$link":"bafy"}})").find("\"l\" holds a malformed \"$link\""), std::string::npos);
    EXPECT_NE(problem("[]").find("not a JSON object"), std::string::npos);
    EXPECT_NE(problem("{").find("not JSON"), std::string::npos);
    EXPECT_NE(problem((std::string(40, '[') + std::string(40, ']')).c_str()).find("nested too deeply"), std::string::npos);
    EXPECT_NE(problem((R"({"t":")" + std::string((1U << 20U) + 1, 'x') + R"("})").c_str()).find("longer than 1 MiB"), std::string::npos);
}

} // namespace
} // namespace autosync::atproto
