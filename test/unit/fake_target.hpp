// A target for tests of the delivery: requests list the numbers of their changes, and a function of the test is the server.
#pragma once

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "targets/target.hpp"

namespace autosync::test {

/// The body of a request is "1 2 3": the changes it carries. What `interpret` says is up to the test.
class FakeTarget final : public targets::Target {
public:
    using Judge = std::function<targets::Verdict(const targets::Planned &, const http::Response &)>;

    Judge judge = [](const targets::Planned &, const http::Response &) { return targets::Verdict{.outcome = targets::Outcome::delivered}; };
    targets::Capabilities limits{};
    std::function<bool(std::size_t)> plannable = [](std::size_t) { return true; }; ///< false: plan() throws for it
    std::function<bool(std::size_t)> needed = [](std::size_t) { return true; };    ///< false: no request carries it

    [[nodiscard]] std::string_view kind() const override { return "fake"; }
    [[nodiscard]] targets::Capabilities capabilities() const override { return limits; }
    [[nodiscard]] std::unique_ptr<const targets::Mapping> compile(const mapping::Source &) const override { return nullptr; }
    [[nodiscard]] std::vector<targets::Planned> prepare(const targets::Server &, const mapping::Source &, const targets::Mapping &) const override
    {
        return {};
    }
    [[nodiscard]] std::vector<targets::Planned> plan(const targets::Server &, const targets::Batch &, std::span<const std::size_t> which,
                                                     std::size_t max_changes) const override
    {
        std::vector<targets::Planned> result;
        for (const auto change : which) {
            if (!plannable(change))
                throw std::invalid_argument{"cannot say " + std::to_string(change)};
            if (!needed(change))
                continue;
            if (result.empty() || result.back().changes.size() == max_changes)
                result.emplace_back();
            auto &planned = result.back();
            planned.request.body += (planned.changes.empty() ? "" : " ") + std::to_string(change);
            planned.changes.push_back(change);
        }
        return result;
    }
    [[nodiscard]] targets::Verdict interpret(const targets::Server &, const targets::Planned &planned, const http::Response &response) const override
    {
        return judge(planned, response);
    }
    [[nodiscard]] http::Request probe(const targets::Server &) const override { return {}; }
    [[nodiscard]] targets::Probe read_probe(const http::Response &) const override { return {}; }
    [[nodiscard]] http::Request enumerate(const targets::Server &, const mapping::Source &, const targets::Mapping &, std::string_view,
                                          std::size_t) const override
    {
        return {};
    }
    [[nodiscard]] std::optional<std::vector<std::string>> read_keys(const http::Response &) const override { return std::nullopt; }
    [[nodiscard]] http::Request purge(const targets::Server &, const mapping::Source &, const targets::Mapping &, std::size_t) const override
    {
        return {};
    }
    [[nodiscard]] std::optional<http::Request> collect(const targets::Server &, const mapping::Source &, const targets::Mapping &,
                                                       std::chrono::seconds, std::size_t) const override
    {
        return std::nullopt;
    }
    [[nodiscard]] std::optional<std::size_t> read_count(const http::Response &) const override { return std::nullopt; }
    [[nodiscard]] std::string describe(const mapping::Source &, const targets::Mapping &) const override { return "{}"; }
};

} // namespace autosync::test
