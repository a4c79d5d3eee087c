#include "outbox/chunk.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <stdexcept>

using namespace autosync::outbox;

namespace {

const Topic orders{16'384, {"graph"}, "", ""};
const Topic customers{std::numeric_limits<std::uint32_t>::max(), {"graph", "vectors"}, "request 7", "graph"};

std::string packed(const std::vector<std::string> &columns)
{
    std::string out;
    for (const auto &column : columns)
        pack_text(out, column);
    return out;
}

/// One chunk with an event of each sort.
std::string sample()
{
    ChunkWriter writer;
    const auto key = packed({"42"});
    const auto pair = packed({"1", std::string(300, 'x')});
    EXPECT_TRUE(writer.add(7, pack_topic(orders), {Operation::insert, false, 1, key, {}}));
    EXPECT_TRUE(writer.add(9, pack_topic(customers), {Operation::update, false, 2, pair, std::string_view{"\x05\x80", 2}}));
    EXPECT_TRUE(writer.add(7, pack_topic(orders), {Operation::remove, true, 1, key, {}}));
    EXPECT_TRUE(writer.add(9, pack_topic(customers), {Operation::truncate, false, 0, {}, {}}));
    return writer.take(-5);
}

TEST(Chunk, ReadsWhatItWrote)
{
    const auto chunk = read_chunk(sample());
    EXPECT_EQ(chunk.captured_at, -5);
    EXPECT_EQ(chunk.topics, (std::vector<Topic>{orders, customers}));
    ASSERT_EQ(chunk.events.size(), 4U);
    EXPECT_EQ(chunk.events[0].operation, Operation::insert);
    EXPECT_EQ(chunk.events[0].key, std::vector<std::string>{"42"});
    EXPECT_TRUE(chunk.events[0].changed.empty());
    EXPECT_EQ(chunk.events[1].topic, 1U);
    EXPECT_EQ(chunk.events[1].key, (std::vector<std::string>{"1", std::string(300, 'x')}));
    EXPECT_EQ(chunk.events[1].changed, (std::vector<std::uint16_t>{1, 3, 16}));
    EXPECT_EQ(chunk.events[2].topic, 0U);
    EXPECT_TRUE(chunk.events[2].rekeyed);
    EXPECT_EQ(chunk.events[3].operation, Operation::truncate);
    EXPECT_TRUE(chunk.events[3].key.empty());
}

TEST(Chunk, AnyBytesMayBeAKey)
{
    const std::string odd{"\0\xff\"\\\n", 5};
    ChunkWriter writer;
    ASSERT_TRUE(writer.add(0, pack_topic(orders), {Operation::insert, false, 2, packed({odd, ""}), {}}));
    EXPECT_EQ(read_chunk(writer.take(0)).events.front().key, (std::vector<std::string>{odd, ""}));
}

TEST(Chunk, FitsAPageUnlessOneKeyDoesNot)
{
    ChunkWriter writer;
    std::size_t chunks = 0;
    std::size_t events = 0;
    constexpr std::size_t all = 10'000;
    const auto take = [&] {
        const auto bytes = writer.take(1);
        EXPECT_LE(bytes.size(), ChunkWriter::capacity);
        EXPECT_TRUE(writer.empty());
        events += read_chunk(bytes).events.size();
        ++chunks;
    };
    for (std::size_t i = 0; i < all; ++i) {
        const auto key = packed({std::to_string(i)});
        const PackedEvent event{Operation::insert, false, 1, key, {}};
        const auto topic = static_cast<std::uint32_t>(i % 3);
        if (!writer.add(topic, pack_topic(topic == 0 ? orders : customers), event)) {
            take();
            ASSERT_TRUE(writer.add(topic, pack_topic(topic == 0 ? orders : customers), event));
        }
    }
    take();
    EXPECT_EQ(events, all);
    EXPECT_LT(chunks, 14U) << "about eight bytes an event";

    const auto huge = packed({std::string(100'000, 'k')});
    ASSERT_TRUE(writer.add(0, pack_topic(orders), {Operation::insert, false, 1, huge, {}}));
    EXPECT_FALSE(writer.add(0, pack_topic(orders), {Operation::insert, false, 1, packed({"1"}), {}}));
    EXPECT_EQ(read_chunk(writer.take(1)).events.front().key.front().size(), 100'000U);
}

TEST(Chunk, NumbersOfAnySize)
{
    for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{16'384}, ~std::uint64_t{0}}) {
        std::string bytes;
        pack_number(bytes, number);
        EXPECT_EQ(bytes.size(), number < 128 ? 1U : number < 16'384 ? 2U : number == 16'384 ? 3U : 10U);
    }
}

TEST(Chunk, CarriesRowsAndTheSealOfItsTransaction)
{
    Topic audit = orders;
    audit.carries = Carries::history;
    const auto key = packed({"42"});
    const std::string large = "{\"a\": \"" + std::string(20'000, 'x') + "\"}";
    ChunkWriter writer;
    ASSERT_TRUE(writer.add(1, pack_topic(audit), {Operation::update, false, 1, key, std::string_view{"\x02", 1}, R"({"a": 1})", true}));
    EXPECT_FALSE(writer.add(1, pack_topic(audit), {Operation::remove, true, 1, key, {}, large}));
    const auto chunk = read_chunk(writer.take(7, 0x1234'5678'9abcU));
    EXPECT_EQ(chunk.captured_at, 7);
    EXPECT_EQ(chunk.seal, 0x1234'5678'9abcU);
    EXPECT_EQ(chunk.topics, std::vector{audit});
    EXPECT_EQ(chunk.events.at(0).payload, R"({"a": 1})");
    EXPECT_TRUE(chunk.events[0].unclear);
    EXPECT_EQ(chunk.events[0].changed, std::vector<std::uint16_t>{2});
    ASSERT_TRUE(writer.add(1, pack_topic(audit), {Operation::remove, true, 1, key, {}, large})); // alone it fits whatever its size
    const std::string bytes = writer.take(8);
    EXPECT_EQ(read_chunk(bytes).events.at(0).payload, large);
    EXPECT_EQ(seal_of(bytes), 0U);
    const std::string trailer = writer.take(9, 5); // of a transaction that has written everything before
    EXPECT_EQ(seal_of(trailer), 5U);
    EXPECT_TRUE(read_chunk(trailer).events.empty());
    EXPECT_THROW((void) seal_of(trailer.substr(0, 12)), std::runtime_error);
}

TEST(Chunk, CarriesWordsThatWereCalledSomethingBefore)
{
    Topic words{2, {"journal"}, "request 7", ""};
    words.carries = Carries::words;
    const auto key = packed({"mail", "7"});
    ChunkWriter writer;
    for (const std::uint32_t serial : {1U, 127U, 128U, 70'000U, ~std::uint32_t{0}})
        ASSERT_TRUE(writer.add(1, pack_topic(words), {Operation::update, false, 2, key, {}, "{}", false, serial}));
    ASSERT_TRUE(writer.add(1, pack_topic(words), {Operation::update, false, 2, key, {}, "{}"}));
    const std::string bytes = writer.take(7, 8);
    const auto chunk = read_chunk(bytes);
    EXPECT_EQ(chunk.topics, std::vector{words});
    std::vector<std::uint32_t> serials;
    for (const auto &event : chunk.events) {
        EXPECT_EQ(event.key, (std::vector<std::string>{"mail", "7"}));
        EXPECT_EQ(event.payload, "{}");
        serials.push_back(event.serial);
    }
    EXPECT_EQ(serials, (std::vector<std::uint32_t>{1, 127, 128, 70'000, ~std::uint32_t{0}, 0}));
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_THROW((void) read_chunk(std::string_view{bytes}.substr(0, size)), std::runtime_error) << size;
}

TEST(Chunk, SaysWhenItEndsEarlyOrGoesOn)
{
    const auto whole = sample();
    for (std::size_t size = 0; size < whole.size(); ++size)
        EXPECT_THROW((void) read_chunk(std::string_view{whole}.substr(0, size)), std::runtime_error) << size;
    EXPECT_THROW((void) read_chunk(whole + '\0'), std::runtime_error);
    EXPECT_THROW((void) read_chunk("\x03" + whole.substr(1)), std::runtime_error);
}

TEST(Chunk, DamageIsAnErrorOrOtherDataNeverMore)
{
    const auto whole = sample();
    std::minstd_rand random{1};
    for (int round = 0; round < 20'000; ++round) {
        auto bytes = whole;
        for (unsigned hits = 1 + random() % 4; hits > 0; --hits)
            bytes[random() % bytes.size()] = static_cast<char>(random() & 0xffU);
        try {
            const auto chunk = read_chunk(bytes);
            EXPECT_LE(chunk.events.size(), bytes.size());
            for (const auto &event : chunk.events)
                EXPECT_LT(event.topic, chunk.topics.size());
        } catch (const std::runtime_error &) {
            continue;
        }
    }
}

} // namespace
