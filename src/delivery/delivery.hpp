// One round's changes on their way to one target: plans, hands out requests, reads answers, halves, and ends with an outcome per change.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.hpp"
#include "targets/target.hpp"

namespace autosync::delivery {

struct Settings {
    std::size_t batch_size = 500;
    unsigned max_in_flight = 4;
    unsigned transient_retries = 5; ///< for Verdict::again
};

struct Result {
    enum class State : std::uint8_t { open, delivered, refused, waiting };
    State state = State::open; ///< open after finished(): not delivered, because of the target as a whole, or of stop()
    std::string message;       ///< why it was refused or waits; fit for a table, as all texts that come out of a delivery
    http::Request request;     ///< that was refused, standing alone
    std::string answer;        ///< to it: at most 2 kB of valid UTF-8, without secrets
    bool authentication = false; ///< waits for a session of its identity
    std::optional<std::chrono::seconds> retry_after; ///< waits for so long
    bool in_doubt = false;     ///< a request for it, not the last one perhaps, may have been applied, or be applied yet
};

/// Why the delivery stopped early: the target as a whole is in trouble.
struct Trouble {
    targets::Outcome outcome = targets::Outcome::unreachable; ///< throttled, unauthorized, unreachable or unknown
    std::string message;
    std::optional<std::chrono::seconds> retry_after;
    std::optional<std::size_t> unprepared{}; ///< this source of the batch has to be prepared again: the target lost what it lived in
};

/// Pure bookkeeping: somebody else sends. Target, server, changes, sources and mappings are borrowed and must outlive it.
/// Requests are handed out in the order in which they were planned; what is tried again or split goes first.
/// A change that the target plans no request for needs none and counts as delivered; one that it cannot plan (it throws) is refused.
class Delivery final {
public:
    using Id = std::uint64_t;
    struct Outgoing {
        Id id;
        http::Request request;
    };

    Delivery(const targets::Target &target, const targets::Server &server, const targets::Batch &batch, Settings settings);

    /// The next request to send now; nullopt: nothing to send (all in flight, waiting for retry_at(), or finished).
    [[nodiscard]] std::optional<Outgoing> next(std::chrono::steady_clock::time_point now);
    /// Answers to unknown requests are ignored. After trouble() what is still in flight is read, and nothing more is handed out.
    void answer(Id id, const http::Response &response, std::chrono::steady_clock::time_point now);
    /// What has not been begun is left open; what has is brought to its end, which may take further requests.
    void stop();
    /// When next() may have something again without an answer (a transient retry); max() if never.
    [[nodiscard]] std::chrono::steady_clock::time_point retry_at() const;

    [[nodiscard]] bool finished() const; ///< nothing in flight and nothing left to send
    [[nodiscard]] bool stopped() const noexcept { return stopped_; }
    [[nodiscard]] const std::vector<Result> &results() const noexcept { return results_; }
    [[nodiscard]] const std::optional<Trouble> &trouble() const noexcept { return trouble_; }
    [[nodiscard]] std::int64_t newer_version() const noexcept { return newer_version_; } ///< highest version the target was found to hold; 0: none
    [[nodiscard]] const std::map<std::size_t, embed::Usage> &usage() const noexcept { return usage_; } ///< by source of the batch
    [[nodiscard]] std::uint64_t requests() const noexcept { return requests_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

private:
    struct Job {
        targets::Planned planned;
        std::optional<http::Request> follow_up; ///< asked in place of planned.request
        std::size_t follow_ups = 0;
        unsigned tries = 0;
        std::chrono::steady_clock::time_point not_before{};
        bool resent = false; ///< something may have been applied twice, the second time late
    };
    using Indexes = std::vector<std::size_t>;

    [[nodiscard]] std::deque<Job> plan(const Indexes &which, std::size_t most);
    void settle(Job job, const targets::Verdict &verdict, const http::Response &response, std::chrono::steady_clock::time_point now);
    void ask_again(Job job, const targets::Verdict &verdict, std::chrono::steady_clock::time_point now);
    void split(const Job &job);
    void refuse(Job job, const targets::Verdict &verdict, const http::Response &response);
    void give_up(targets::Outcome outcome, const std::string &message, std::optional<std::chrono::seconds> retry_after);
    [[nodiscard]] std::string shown(std::string_view text, std::size_t limit) const;

    const targets::Target &target_;
    const targets::Server &server_;
    targets::Batch batch_;
    Settings settings_;
    std::minstd_rand random_;
    std::deque<Job> waiting_;
    std::map<Id, Job> flying_;
    std::vector<Result> results_;
    std::optional<Trouble> trouble_;
    bool stopped_ = false;
    std::int64_t newer_version_ = 0;
    std::map<std::size_t, embed::Usage> usage_;
    std::uint64_t requests_ = 0;
    std::uint64_t bytes_ = 0;
    Id last_id_ = 0;
};

} // namespace autosync::delivery
