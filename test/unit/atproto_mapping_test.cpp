// Rows as records.
#include <gtest/gtest.h>

#include "targets/atproto_mapping.hpp"

namespace autosync::targets::atproto {
namespace {

using mapping::Kind;

mapping::Source posts(mapping::Options options)
{
    mapping::Source source;
    source.name = "public.posts";
    source.table = "posts";
    source.columns = {{"id", {Kind::integer}}, {"did", {Kind::text}},         {"body", {Kind::text}}, {"likes", {Kind::integer}}, {"score", {Kind::real}},
                      {"at", {Kind::timestamp}}, {"data", {Kind::bytes}}, {"tags", {Kind::list, Kind::text}}};
    source.key = {"id"};
    options.try_emplace("collection", "com.example.note");
    source.options = std::move(options);
    return source;
}

mapping::Change row()
{
    mapping::Change change;
    change.key = "7";
    change.row = {std::int64_t{7}, std::string{"did:plc:abc"}, std::string{"hi"}, std::int64_t{9'007'199'254'740'992}, 1.5, std::string{"2024-02-29T12:34:56"},
                  std::string{"f"}, mapping::List{{std::string{"a"}, std::string{"b"}}, {2}}};
    return change;
}

TEST(AtprotoMapping, ByTypeOfTheColumn)
{
    const auto source = posts({{"record", R"({"body":"text","likes":"likes","score":"score","at":"createdAt","data":"data","tags":"tags"})"}});
    const auto mapping = compile_source(source);
    EXPECT_EQ(record_of(*mapping, source, row(), {}).json,
              R"({"$type":"com.example.note","createdAt":"2024-02-29T12:34:56Z","data":{"$bytes":"Zg"},"likes":"9007199254740992","score":"1.5","tags":["a","b"],"text":"hi"})");
    auto change = row();
    change.row[5] = std::string{"infinity"};
    try {
        (void)record_of(*mapping, source, change, {});
        FAIL();
    } catch (const std::invalid_argument &error) {
        EXPECT_EQ(std::string{error.what()}.substr(0, 12), "column \"at\":");
    }
}

TEST(AtprotoMapping, WhoseRecordUnderWhichKey)
{
    auto source = posts({});
    EXPECT_EQ(did_of(*compile_source(source), row()), "did:plc:abc");
    EXPECT_EQ(rkey_of(*compile_source(source), row()), "");
    EXPECT_EQ(rkey_of(*compile_source(posts({{"rkey", "key"}})), row()), "7");
    EXPECT_EQ(rkey_of(*compile_source(posts({{"rkey", "self"}})), row()), "self");
    EXPECT_EQ(rkey_of(*compile_source(posts({{"rkey", "body"}})), row()), "hi");
    auto change = row();
    change.row[1] = std::string{"nobody"};
    EXPECT_THROW((void)did_of(*compile_source(source), change), std::invalid_argument);
    change.row[1] = std::monostate{};
    EXPECT_EQ(did_of(*compile_source(source), change), "");

    source.computed = {{"did_expression", {Kind::text}}, {"transform", {Kind::json}}};
    change = row();
    change.row.emplace_back(std::string{"did:plc:other"});
    change.row.emplace_back(std::monostate{});
    const auto mapping = compile_source(source);
    EXPECT_EQ(did_of(*mapping, change), "did:plc:other");
    EXPECT_FALSE(has_record(*mapping, change));
    change.row.back() = std::string{R"({"text": "made"})"};
    EXPECT_EQ(record_of(*mapping, source, change, {"2024-01-01T00:00:00Z"}).json,
              R"({"$type":"com.example.note","createdAt":"2024-01-01T00:00:00Z","text":"made"})");
}

TEST(AtprotoMapping, BlobsHaveAPlaceATypeAndASize)
{
    const auto with = [](const char *text) { return posts({{"record", R"({"body":"text"})"}, {"blob", text}}); };
    auto source = with(R"({"data": {"field": "embed.images[0].image", "type": "body", "max_size": 3}})");
    auto mapping = compile_source(source);
    auto change = row();
    change.row[2] = std::string{"image/x-own"};
    change.row[6] = std::string{"\xff\xd8\xff"};
    const auto blobs = blobs_of(*mapping, change);
    ASSERT_EQ(blobs.size(), 1U);
    EXPECT_EQ(record_of(*mapping, source, change, {"2024-01-01T00:00:00Z", blobs}).json,
              R"({"$type":"com.example.note","createdAt":"2024-01-01T00:00:00Z","embed":{"images":[{"image":{"$type":"blob","mimeType":"image/x-own","ref":{"$link":")" +
                  blobs[0].blob.cid + R"("},"size":3}}]},"text":"image/x-own"})");
    EXPECT_EQ(blobs_of(*compile_source(with("data")), change)[0].blob.type, "image/jpeg");
    change.row[6] = std::string{"long"};
    try {
        (void)blobs_of(*mapping, change);
        FAIL();
    } catch (const std::invalid_argument &error) {
        EXPECT_STREQ(error.what(), R"(field "embed.images[0].image" is a blob of 4 bytes, and 3 are allowed (max_size))");
    }
    change.row[6] = std::monostate{};
    EXPECT_TRUE(blobs_of(*mapping, change).empty());
    for (const auto *const wrong : {"body", "none", "{}", R"({"data": ""})", R"({"data": "a..b"})", R"({"data": "[0]"})", R"({"data": {"size": 1}})",
                                    R"({"data": {"type": "no column"}})", R"({"data": {"max_size": 0}})"})
        EXPECT_THROW((void)compile_source(with(wrong)), std::invalid_argument) << wrong;
    // Not over what the row's own record says there.
    source = with(R"({"data": "text"})");
    mapping = compile_source(source);
    change.row[6] = std::string{"x"};
    EXPECT_THROW((void)record_of(*mapping, source, change, {"2024-01-01T00:00:00Z", blobs_of(*mapping, change)}), std::invalid_argument);
}

TEST(AtprotoMapping, ReferencesAreForeignKeys)
{
    auto source = posts({{"reply", "id"}});
    EXPECT_THROW((void)compile_source(source), std::invalid_argument);
    source.links = {{"likes", {"likes"}, "public.x", "x", ""}, {"id", {"id"}, "public.posts", "posts", ""}};
    const auto mapping = compile_source(source);
    ASSERT_EQ(mapping->references.size(), 1U);
    EXPECT_EQ(mapping->references[0].link, 1U);
    EXPECT_TRUE(mapping->references[0].thread);
    auto change = row();
    change.row[4] = std::monostate{};
    EXPECT_NE(record_of(*mapping, source, change, {"2024-01-01T00:00:00Z", {}, {{"reply", R"({"uri":"at://x"})"}}}).json.find(R"("reply":{"uri":"at://x"})"), std::string::npos);
}

TEST(AtprotoMapping, RefusesWhatMakesNoSense)
{
    EXPECT_THROW((void)compile_source(posts({{"collection", "nonsense"}})), std::invalid_argument);
    EXPECT_THROW((void)compile_source(posts({{"record", R"({"none":"x"})"}})), std::invalid_argument);
    EXPECT_THROW((void)compile_source(posts({{"record", R"({"body":"x","id":"x"})"}})), std::invalid_argument);
    EXPECT_THROW((void)compile_source(posts({{"record", R"({"body":"$type"})"}})), std::invalid_argument);
    EXPECT_THROW((void)compile_source(posts({{"rkey", "none"}})), std::invalid_argument);
    EXPECT_THROW((void)compile_source(posts({{"did", "none"}})), std::invalid_argument);
}

} // namespace
} // namespace autosync::targets::atproto
