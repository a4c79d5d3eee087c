// One delivery to a fake target, with a clock of its own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "delivery/delivery.hpp"
#include "fake_target.hpp"

namespace autosync::test {

using namespace std::chrono_literals;
using delivery::Delivery;
using delivery::Result;
using targets::Outcome;
using targets::Planned;
using targets::Verdict;
using State = Result::State;
using Clock = std::chrono::steady_clock;

/// A delivery of `count` changes to a fake target, with a clock of its own.
struct Scene {
    FakeTarget target;
    targets::Server server;
    std::vector<mapping::Change> changes;
    delivery::Settings settings{.batch_size = 500, .max_in_flight = 1, .transient_retries = 5};
    Clock::time_point now{1h};
    std::vector<std::string> sent;
    http::Response response;

    explicit Scene(std::size_t count) : changes(count) { response.status = 200; }

    [[nodiscard]] Delivery begin() const
    {
        return {target, server, targets::Batch{.sources = {}, .mappings = {}, .changes = changes, .version = 7}, settings};
    }

    /// Sends and answers until it is over; time passes when there is nothing else to do.
    void run(Delivery &delivery)
    {
        for (int step = 0; !delivery.finished() && step < 10'000; ++step) {
            if (auto outgoing = delivery.next(now)) {
                sent.push_back(outgoing->request.body);
                delivery.answer(outgoing->id, response, now);
            } else {
                ASSERT_NE(delivery.retry_at(), Clock::time_point::max());
                now = std::max(now, delivery.retry_at());
            }
        }
        ASSERT_TRUE(delivery.finished());
        EXPECT_FALSE(delivery.next(now));
        EXPECT_EQ(delivery.requests(), sent.size());
    }
};

inline std::size_t count(const Delivery &delivery, State state)
{
    return static_cast<std::size_t>(
        std::count_if(delivery.results().begin(), delivery.results().end(), [&](const Result &result) { return result.state == state; }));
}

inline FakeTarget::Judge poison(std::set<std::size_t> rows, Verdict bad)
{
    return [rows = std::move(rows), bad = std::move(bad)](const Planned &planned, const http::Response &) {
        const bool hit = std::any_of(planned.changes.begin(), planned.changes.end(), [&](std::size_t change) { return rows.contains(change); });
        return hit ? bad : Verdict{.outcome = Outcome::delivered};
    };
}

} // namespace autosync::test
