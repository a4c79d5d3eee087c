// The order in which transactions are told, and what a cursor says in between.
#include "outbox/sequence.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

using namespace autosync::outbox;

namespace {

TEST(Sequence, FollowsTheSealsNotTheIds)
{
    Sequence sequence;
    sequence.begin({10, 10, {}}, {15, 15, {}}, {{300, 10}, {100, 14}, {200, 12}});
    EXPECT_EQ(sequence.next().xid, 14U);
    EXPECT_EQ(sequence.passed_after_next(), (Horizon{10, 15, {10, 12}}));
    sequence.pass();
    EXPECT_EQ(sequence.passed(), (Horizon{10, 15, {10, 12}}));
    sequence.pass();
    EXPECT_EQ(sequence.passed(), (Horizon{10, 15, {10}}));
    EXPECT_TRUE(sequence.stands_at({10, 15, {10}}));
    EXPECT_FALSE(sequence.stands_at({10, 15, {}}));
    sequence.pass();
    EXPECT_EQ(sequence.passed(), (Horizon{15, 15, {}}));
    EXPECT_FALSE(sequence.stands_at({15, 15, {}})); // it is to be made anew
}

TEST(Sequence, WhatIsNotSeenYetStaysUnseen)
{
    std::minstd_rand random{1};
    for (int round = 0; round < 200; ++round) {
        Horizon upto{1, 60, {}};
        std::vector<Sequence::Place> places;
        std::set<std::uint64_t> left;
        for (std::uint64_t xid = 20; xid < 60; ++xid) {
            if (const auto kind = random() % 4; kind == 0) {
                upto.in_progress.push_back(xid);
            } else if (kind == 1) {
                places.push_back({random() % 10 + 1, xid});
                left.insert(xid);
            }
        }
        upto.xmin = upto.in_progress.empty() ? upto.xmax : upto.in_progress.front();
        Sequence sequence;
        sequence.begin({20, 20, {}}, upto, places);
        Sequence::Place before;
        while (!sequence.empty()) {
            EXPECT_LT(before, sequence.next());
            before = sequence.next();
            left.erase(before.xid);
            const auto expected = sequence.passed_after_next();
            sequence.pass();
            const auto &passed = sequence.passed();
            EXPECT_EQ(passed, expected);
            EXPECT_TRUE(passed.sees(before.xid));
            for (const auto xid : left)
                EXPECT_FALSE(passed.sees(xid));
            for (const auto xid : upto.in_progress)
                EXPECT_FALSE(passed.sees(xid));
        }
        EXPECT_EQ(sequence.passed(), upto);
    }
}

} // namespace
