// Events that carry their rows: none is lost in another, and those of one key follow one another.
#include "capture/buffer.hpp"

#include <gtest/gtest.h>

using namespace autosync::capture;
using namespace autosync::outbox;

namespace {

Topic topic_for(const char *target)
{
    Topic topic{1, {target}, "", ""};
    topic.carries = Carries::rows;
    return topic;
}

struct Scene {
    Buffer buffer;

    Buffer::Index add(const std::string &key, Operation operation, Buffer::Lineage lineage, const std::string &payload, int level = 1)
    {
        std::string bytes;
        pack_text(bytes, key);
        return buffer.add_row(level, buffer.intern(topic_for("audit")), {operation, false, 1, bytes, {}, payload}, lineage);
    }
    /// Payloads in order, with a mark where the order is unclear.
    std::string drain(bool tail_only = false)
    {
        std::string out;
        buffer.drain(tail_only, 0, [&](const std::string &bytes) {
            for (const auto &event : read_chunk(bytes).events)
                out += event.payload + (event.unclear ? "? " : " ");
        });
        return out;
    }
};

TEST(BufferRows, KeepsEveryVersion)
{
    Scene scene;
    scene.add("1", Operation::insert, {1, 0, 10}, "a");
    scene.add("2", Operation::insert, {1, 0, 11}, "x");
    scene.add("1", Operation::update, {2, 10, 12}, "b");
    scene.add("1", Operation::remove, {3, 12, 0}, "b");
    scene.add("1", Operation::insert, {4, 0, 13}, "c");
    EXPECT_EQ(scene.drain(), "a x b b c ");
}

TEST(BufferRows, BringsWhatNestedTriggersToldFirstIntoTheOrderOfCommands)
{
    Scene scene;
    scene.add("1", Operation::update, {3, 11, 12}, "third");
    scene.add("2", Operation::insert, {1, 0, 20}, "other");
    scene.add("1", Operation::update, {2, 10, 11}, "second");
    scene.add("1", Operation::insert, {1, 0, 10}, "first");
    EXPECT_EQ(scene.drain(), "first? other second? third? ");
}

TEST(BufferRows, AKeyIsGivenAwayBeforeTheSameStatementTakesItAnew)
{
    Scene scene; // UPDATE t SET id = 3 - id
    scene.add("1", Operation::remove, {5, 10, 0}, "-1");
    scene.add("2", Operation::insert, {5, 0, 12}, "+2");
    scene.add("2", Operation::remove, {5, 11, 0}, "-2");
    scene.add("1", Operation::insert, {5, 0, 13}, "+1");
    EXPECT_EQ(scene.drain(), "-1 -2 +2 +1 ");
}

TEST(BufferRows, SaysWhenVersionsDoNotFollowFromOneAnother)
{
    Scene scene;
    scene.add("1", Operation::update, {1, 10, 11}, "a");
    scene.add("1", Operation::update, {2, 15, 16}, "b");
    EXPECT_EQ(scene.drain(), "a? b? ");
}

TEST(BufferRows, ARolledBackSubtransactionTakesItsVersionsAlong)
{
    Scene scene;
    scene.add("1", Operation::insert, {1, 0, 10}, "a");
    scene.add("1", Operation::update, {2, 10, 11}, "b", 2);
    scene.add("1", Operation::update, {4, 12, 13}, "d", 2);
    scene.add("1", Operation::update, {3, 11, 12}, "c", 2);
    scene.buffer.abort_level(2);
    scene.add("1", Operation::update, {5, 10, 14}, "e");
    EXPECT_EQ(scene.drain(), "a e ");
}

TEST(BufferRows, AreNotMixedWithKeysAlone)
{
    Scene scene;
    std::string key;
    pack_text(key, "1");
    const auto plain = scene.buffer.intern({1, {"graph"}, "", ""});
    scene.add("1", Operation::insert, {1, 0, 10}, "a");
    scene.buffer.add(1, plain, {Operation::insert, false, 1, key, {}});
    scene.buffer.add(1, plain, {Operation::update, false, 1, key, {}});
    scene.add("1", Operation::update, {2, 10, 11}, "b");
    EXPECT_EQ(scene.drain(), "a  b "); // one event for the other target, without a row
}

TEST(BufferRows, AnotherTargetSharesTheEvent)
{
    Scene scene;
    const auto entry = scene.add("1", Operation::insert, {1, 0, 10}, "a");
    scene.buffer.mark(entry, "other");
    scene.add("1", Operation::update, {2, 10, 11}, "b");
    std::vector<Chunk> written;
    scene.buffer.drain(false, 0, [&](const std::string &bytes) { written.push_back(read_chunk(bytes)); }, 9);
    ASSERT_EQ(written.size(), 1U);
    EXPECT_EQ(written[0].seal, 9U);
    EXPECT_EQ(written[0].topics.at(0).targets, (std::vector<std::string>{"audit", "other"}));
    EXPECT_FALSE(written[0].events.at(1).unclear);
}

TEST(BufferRows, WordsComeWhereTheyWereTold)
{
    Scene scene;
    const auto say = [&](const std::string &key, const std::string &payload, int level = 1) {
        std::string bytes;
        pack_text(bytes, key);
        auto topic = topic_for("audit");
        topic.carries = Carries::words;
        scene.buffer.add_word(level, scene.buffer.intern(topic), {Operation::update, false, 1, bytes, {}, payload, false, 9});
    };
    say("1", "hello");
    scene.add("1", Operation::insert, {1, 0, 10}, "a");
    say("1", "there");
    say("1", "there");
    say("2", "rolled back", 2);
    scene.add("1", Operation::update, {2, 10, 11}, "rolled back", 2);
    scene.buffer.abort_level(2);
    scene.add("1", Operation::update, {3, 10, 12}, "b");
    for (int i = 0; i < 200; ++i) // more than what is looked up has room for at first
        say(std::to_string(i), "");
    scene.add("1", Operation::update, {4, 12, 13}, "c");
    say("1", "goodbye", 2);
    scene.buffer.commit_level(2);
    std::string told;
    std::uint32_t serials = 0;
    scene.buffer.drain(false, 0, [&](const std::string &bytes) {
        for (const auto &event : read_chunk(bytes).events) {
            told += event.payload.empty() ? "" : event.payload + (event.unclear ? "? " : " ");
            serials += event.serial;
        }
    });
    EXPECT_EQ(told, "hello a there there b c goodbye ");
    EXPECT_EQ(serials, 204U * 9);
}

} // namespace
