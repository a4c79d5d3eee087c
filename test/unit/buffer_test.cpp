#include "capture/buffer.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

using namespace autosync::outbox;
using autosync::capture::Buffer;

namespace {

const Topic rows{1, {"graph"}, "", ""};

std::string pack(const std::string &key)
{
    std::string out;
    pack_text(out, key);
    return out;
}

struct Scene {
    Buffer buffer;
    std::vector<Chunk> written;

    Buffer::Index add(int level, const std::string &key, Operation operation = Operation::insert, const Topic &topic = rows, std::string_view changed = {},
                      bool rekeyed = false)
    {
        const auto bytes = pack(key);
        return buffer.add(level, buffer.intern(topic), {operation, rekeyed, 1, bytes, changed});
    }
    void drain(bool tail_only = false)
    {
        buffer.drain(tail_only, 0, [this](const std::string &bytes) { written.push_back(read_chunk(bytes)); });
    }
    /// What lies in the written chunks, in order.
    [[nodiscard]] std::vector<std::string> keys() const
    {
        std::vector<std::string> out;
        for (const auto &chunk : written) {
            for (const auto &event : chunk.events)
                out.push_back(event.key.empty() ? "" : event.key.front());
        }
        return out;
    }
    [[nodiscard]] const Event &only() const { return written.at(0).events.at(0); }
};

using Keys = std::vector<std::string>;

TEST(Buffer, KeepsWhatAKeyBecame)
{
    const auto net = [](std::initializer_list<Operation> steps) {
        Scene scene;
        for (const auto step : steps)
            scene.add(1, "a", step);
        scene.drain();
        EXPECT_EQ(scene.keys(), Keys{"a"});
        return scene.only().operation;
    };
    using enum Operation;
    EXPECT_EQ(net({insert, update}), insert);
    EXPECT_EQ(net({insert, update, remove}), remove);
    EXPECT_EQ(net({remove, insert}), update);
    EXPECT_EQ(net({update, remove}), remove);
    EXPECT_EQ(net({update, update}), update);
}

TEST(Buffer, UnitesChangedColumnsAndTargets)
{
    Scene scene;
    scene.add(1, "a", Operation::update, rows, std::string_view{"\x01\x00", 2});
    scene.add(1, "a", Operation::update, {1, {"vectors"}, "", ""}, std::string_view{"\x04\x01", 2});
    scene.drain();
    ASSERT_EQ(scene.written.size(), 1U);
    ASSERT_EQ(scene.written[0].events.size(), 1U);
    EXPECT_EQ(scene.only().changed, (std::vector<std::uint16_t>{1, 3, 9}));
    EXPECT_EQ(scene.written[0].topics.at(scene.only().topic).targets, (std::vector<std::string>{"graph", "vectors"}));
}

TEST(Buffer, AKeyThatWasGivenUpStaysSo)
{
    Scene scene;
    scene.add(1, "a", Operation::remove, rows, {}, true);
    scene.add(1, "a", Operation::insert);
    scene.drain();
    EXPECT_TRUE(scene.only().rekeyed);
}

TEST(Buffer, TellsTablesAndStampsApart)
{
    Scene scene;
    scene.add(1, "a");
    scene.add(1, "a", Operation::insert, {2, {"graph"}, "", ""});
    scene.add(1, "a", Operation::insert, {1, {"graph"}, "request 7", ""});
    scene.add(1, "a", Operation::insert, {1, {"graph"}, "", "vectors"});
    scene.drain();
    EXPECT_EQ(scene.keys().size(), 4U);
}

TEST(Buffer, MarksAnEventForAnotherTarget)
{
    Scene scene;
    const auto index = scene.add(1, "b");
    scene.buffer.mark(index, "files");
    scene.buffer.mark(index, "files");
    scene.buffer.mark(99, "files");
    scene.drain();
    EXPECT_EQ(scene.written[0].topics.at(scene.only().topic).targets, (std::vector<std::string>{"files", "graph"}));
}

TEST(Buffer, ASavepointTakesBackItsOwn)
{
    Scene scene;
    scene.add(1, "a");
    scene.add(2, "b");
    scene.add(3, "c");
    scene.buffer.commit_level(3);
    scene.add(2, "d");
    scene.buffer.abort_level(2);
    scene.add(2, "e");
    scene.buffer.commit_level(2);
    scene.drain();
    EXPECT_EQ(scene.keys(), (Keys{"a", "e"}));
}

TEST(Buffer, AnInnerLevelNeverChangesWhatAnOuterNoted)
{
    Scene scene;
    scene.add(1, "a", Operation::insert);
    scene.add(2, "a", Operation::remove);
    scene.buffer.abort_level(2);
    scene.drain();
    ASSERT_EQ(scene.keys(), Keys{"a"});
    EXPECT_EQ(scene.only().operation, Operation::insert);
}

TEST(Buffer, LevelsThatNotedNothingMayLieBetween)
{
    Scene scene;
    scene.add(5, "deep");
    for (int level = 5; level > 2; --level)
        scene.buffer.commit_level(level);
    scene.add(2, "two");
    scene.buffer.commit_level(2);
    scene.buffer.abort_level(2); // another subtransaction of the same level
    scene.drain();
    EXPECT_EQ(scene.keys(), (Keys{"deep", "two"}));

    Scene other;
    other.add(5, "deep");
    other.buffer.commit_level(5);
    other.buffer.abort_level(4);
    EXPECT_TRUE(other.buffer.empty());
}

TEST(Buffer, AnEarlyFlushWritesTheInnermostLevelOnly)
{
    Scene scene;
    scene.add(1, "outer");
    scene.add(2, "inner");
    EXPECT_GT(scene.buffer.bytes(), scene.buffer.tail_bytes());
    scene.drain(true);
    EXPECT_EQ(scene.keys(), Keys{"inner"});
    EXPECT_EQ(scene.buffer.tail_bytes(), 0U);
    scene.buffer.abort_level(2); // the log forgets the inner ones by itself
    scene.add(1, "outer", Operation::remove);
    scene.drain();
    EXPECT_EQ(scene.keys(), (Keys{"inner", "outer"}));
    EXPECT_EQ(scene.written.back().events.front().operation, Operation::remove);
    scene.drain();
    EXPECT_EQ(scene.written.size(), 2U);
}

TEST(Buffer, CountsWhatMadeIndexesInvalid)
{
    Scene scene;
    const auto epoch = scene.buffer.epoch();
    scene.add(1, "a");
    const auto first = scene.buffer.generation();
    scene.add(2, "b");
    EXPECT_EQ(scene.buffer.generation(), first);
    scene.buffer.abort_level(2);
    EXPECT_NE(scene.buffer.generation(), first);
    EXPECT_EQ(scene.buffer.epoch(), epoch);
    scene.buffer.clear();
    EXPECT_TRUE(scene.buffer.empty());
    EXPECT_EQ(scene.buffer.bytes(), 0U);
}

TEST(Buffer, KeepsTopicsFromOneTransactionToTheNextUntilTheyAreTooMany)
{
    Buffer buffer;
    const auto epoch = buffer.epoch();
    const auto kept = buffer.intern({1, {"graph"}, "", ""});
    buffer.clear();
    EXPECT_EQ(buffer.epoch(), epoch);
    EXPECT_EQ(buffer.topic(kept), (Topic{1, {"graph"}, "", ""}));
    EXPECT_EQ(buffer.intern({1, {"graph"}, "", ""}), kept);
    for (unsigned request = 0; request < 1000; ++request) {
        (void) buffer.intern({1, {"graph"}, "request " + std::to_string(request), ""});
        buffer.clear();
    }
    EXPECT_NE(buffer.epoch(), epoch);
    EXPECT_LT(buffer.intern({2, {"graph"}, "", ""}), 20U);
}

/// Against a model that keeps a plain list per level.
TEST(Buffer, AgreesWithAPlainList)
{
    for (unsigned seed = 1; seed <= 200; ++seed) {
        std::minstd_rand random{seed};
        Scene scene;
        std::vector<std::set<std::string>> levels(2); // [1] is the transaction
        for (int step = 0; step < 300; ++step) {
            const int level = static_cast<int>(levels.size()) - 1;
            switch (random() % 12) {
            case 0:
                levels.emplace_back();
                break;
            case 1:
                if (level > 1) {
                    scene.buffer.commit_level(level);
                    levels[levels.size() - 2].merge(levels.back());
                    levels.pop_back();
                }
                break;
            case 2:
                if (level > 1) {
                    scene.buffer.abort_level(level);
                    levels.pop_back();
                }
                break;
            case 3:
                if (!levels.back().empty()) { // capture flushes only what its own level has noted
                    scene.add(level, *levels.back().begin());
                    scene.written.clear();
                    scene.drain(true);
                    const auto keys = scene.keys();
                    EXPECT_EQ(std::set(keys.begin(), keys.end()), levels.back()) << "seed " << seed;
                    levels.back().clear();
                }
                break;
            default: {
                const auto key = std::to_string(random() % 40);
                scene.add(level, key);
                levels.back().insert(key);
            }
            }
        }
        std::set<std::string> expected;
        for (const auto &level : levels)
            expected.insert(level.begin(), level.end());
        scene.written.clear();
        scene.drain();
        const auto keys = scene.keys();
        EXPECT_EQ(std::set(keys.begin(), keys.end()), expected) << "seed " << seed;
        EXPECT_TRUE(scene.buffer.empty());
    }
}

} // namespace
