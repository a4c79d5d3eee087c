// What an application says: written and read back, whatever its texts are.
#include "outbox/word.hpp"

#include <limits>

#include <gtest/gtest.h>

using namespace autosync::outbox;

namespace {

TEST(Word, ReadsBackAsItWas)
{
    for (const auto &word : {Word{10, "PAID", "order", "7", {}, "{}"},
                             Word{~std::uint32_t{0}, "A \"quoted\", \"payload\": 1", "back\\slash", "\n\t, \"payload\": {", std::numeric_limits<std::int64_t>::min(),
                                  R"({"payload": ", \"payload\": ", "by": 1e400, "deep": [[[]]]})"},
                             Word{1, "\u00fc", "\u4e2d", "\U0001f600", 0, "null"}}) {
        const auto text = to_text(word);
        EXPECT_EQ(read_word(text), word) << text;
        EXPECT_EQ(speaker_of(text), word.speaker);
    }
}

TEST(Word, IsJsonThatViewsTakeApart)
{
    EXPECT_EQ(to_text({10, "PAID", "order", "7", 42, R"({"a": 1})"}),
              R"({"by": 10, "event_type": "PAID", "entity_type": "order", "entity_id": "7", "source_version": 42, "payload": {"a": 1}})");
}

TEST(Word, SaysWhenItIsNone)
{
    const auto whole = to_text({10, "PAID", "order", "7", 42, R"({"a": 1})"});
    for (std::size_t size = 0; size < whole.size() - 2; ++size)
        EXPECT_THROW((void) read_word(std::string_view{whole}.substr(0, size)), std::runtime_error) << size;
    for (const auto *const text : {R"({"by": "10", "event_type": "", "entity_type": "", "entity_id": "", "payload": {}})",
                                   R"({"by": 10, "event_type": 1, "entity_type": "", "entity_id": "", "payload": {}})",
                                   R"({"by": 10, "event_type": "", "entity_type": "", "payload": {}})",
                                   R"({"by": 10, "event_type": "", "entity_type": "", "entity_id": "", "source_version": 1.5, "payload": {}})",
                                   R"({"by": , "payload": {}})"})
        EXPECT_THROW((void) read_word(text), std::runtime_error) << text;
    EXPECT_EQ(speaker_of("{}"), 0U);
    EXPECT_EQ(speaker_of(R"({"by": x)"), 0U);
}

} // namespace
