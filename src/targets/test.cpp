// The embedded kind: deliveries land in the table autosync.sent of the same database, so that nothing else is needed to try things out.
// The worker executes the requests; its answers: 200 done (LIST: an array of keys, PURGE: a count), 4xx refused and 5xx not now, with the reason as
// body.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "mapping/document.hpp"
#include "mapping/json.hpp"
#include "mapping/object.hpp"
#include "targets/history.hpp"
#include "targets/kinds.hpp"

namespace autosync::targets {
namespace {

namespace json = mapping::json;

class TestMapping final : public Mapping {};

http::Request request_of(std::string method, std::string body) { return {std::move(method), "autosync.sent", {}, std::move(body)}; }

/// What is told of an event beside what append_change() writes.
void append_event(std::string &out, const Event &event)
{
    const auto append = [&out](const char *name, const std::string &text) {
        out += name;
        if (text.empty())
            out += "null";
        else
            json::append_string(out, text);
    };
    append(R"(,"event_id":)", event.id);
    append(R"(,"event_type":)", event.type);
    append(R"(,"entity_type":)", event.entity_type);
    append(R"(,"correlation_id":)", event.correlation_id);
    out += event.unclear ? R"(,"unclear":true)" : R"(,"unclear":false)";
}

/// `event`: null for the newest state of an entity.
void append_change(std::string &out, const mapping::Source &source, const mapping::Change &change, std::int64_t version, const Event *event)
{
    out += R"({"source":)";
    json::append_string(out, source.name);
    out += R"(,"key":)";
    json::append_string(out, change.key);
    out += R"(,"operation":)";
    json::append_string(out, event != nullptr ? std::string_view{event->operation} : change.removed ? "remove" : "upsert");
    out += R"(,"document":)";
    if (event != nullptr && !event->payload.empty())
        out += event->payload;
    else if (event != nullptr ? change.row.empty() : change.removed)
        out += "null";
    else if (const auto place = mapping::transform_place(source))
        out += '{' + std::string{mapping::members_of(std::get<std::string>(change.row.at(*place)), {})} + '}';
    else
        mapping::append_document(out, source.columns, change.row);
    out += R"(,"version":)";
    json::append_integer(out, version);
    if (event != nullptr)
        append_event(out, *event);
    out += '}';
}

Verdict verdict_of(const http::Response &response)
{
    Verdict verdict;
    verdict.message = response.failure == http::Response::Failure::none ? response.body.substr(0, 1'000) : response.error;
    if (response.failure != http::Response::Failure::none)
        verdict.outcome = Outcome::unreachable;
    else if (response.status == 200)
        verdict.outcome = Outcome::delivered;
    else
        verdict.outcome = response.status >= 400 && response.status < 500 ? Outcome::refused : Outcome::unreachable;
    return verdict;
}

class Test final : public Target {
public:
    [[nodiscard]] std::string_view kind() const override { return "test"; }
    [[nodiscard]] Capabilities capabilities() const override { return {true, 1'000, 16U << 20U, 1}; }

    [[nodiscard]] std::unique_ptr<const Mapping> compile(const mapping::Source & /*source*/) const override
    {
        return std::make_unique<TestMapping>();
    }
    [[nodiscard]] std::vector<Planned> prepare(const Server & /*server*/, const mapping::Source & /*source*/,
                                                     const Mapping & /*mapping*/) const override
    {
        return {};
    }

    [[nodiscard]] std::vector<Planned> plan(const Server & /*server*/, const Batch &batch, std::span<const std::size_t> which,
                                            std::size_t max_changes) const override
    {
        std::vector<Planned> planned;
        const auto *const events = dynamic_cast<const Events *>(batch.context);
        const std::size_t most = std::clamp<std::size_t>(max_changes, 1, capabilities().max_batch);
        for (const auto index : which) {
            const auto &change = batch.changes[index];
            if (planned.empty() || planned.back().changes.size() >= most || planned.back().request.body.size() >= capabilities().max_body)
                planned.push_back({request_of("SEND", "["), {}, nullptr});
            auto &body = planned.back().request.body;
            if (body.size() > 1)
                body += ',';
            append_change(body, *batch.sources[change.source], change, batch.version, events == nullptr ? nullptr : &events->of_changes.at(index));
            planned.back().changes.push_back(index);
        }
        for (auto &each : planned)
            each.request.body += ']';
        return planned;
    }
    [[nodiscard]] Verdict interpret(const Server & /*server*/, const Planned & /*planned*/, const http::Response &response) const override
    {
        return verdict_of(response);
    }

    [[nodiscard]] http::Request probe(const Server & /*server*/) const override { return request_of("PROBE", ""); }
    [[nodiscard]] Probe read_probe(const http::Response &response) const override
    {
        const auto verdict = verdict_of(response);
        return {verdict.outcome, "", verdict.message};
    }

    [[nodiscard]] http::Request enumerate(const Server & /*server*/, const mapping::Source &source, const Mapping & /*mapping*/,
                                          std::string_view after, std::size_t limit) const override
    {
        std::string body = R"({"source":)";
        json::append_string(body, source.name);
        body += R"(,"after":)";
        json::append_string(body, after);
        return request_of("LIST", body + R"(,"limit":)" + std::to_string(limit) + '}');
    }
    [[nodiscard]] std::optional<std::vector<std::string>> read_keys(const http::Response &response) const override
    {
        const auto parsed = nlohmann::json::parse(response.body, nullptr, false);
        if (verdict_of(response).outcome != Outcome::delivered || !parsed.is_array())
            return std::nullopt;
        std::vector<std::string> keys;
        for (const auto &key : parsed) {
            if (!key.is_string())
                return std::nullopt;
            keys.push_back(key.get<std::string>());
        }
        return keys;
    }

    [[nodiscard]] http::Request purge(const Server & /*server*/, const mapping::Source &source, const Mapping & /*mapping*/,
                                      std::size_t limit) const override
    {
        std::string body = R"({"source":)";
        json::append_string(body, source.name);
        return request_of("PURGE", body + R"(,"limit":)" + std::to_string(limit) + '}');
    }
    [[nodiscard]] std::optional<http::Request> collect(const Server & /*server*/, const mapping::Source & /*source*/, const Mapping & /*mapping*/,
                                                       std::chrono::seconds /*age*/, std::size_t /*limit*/) const override
    {
        return std::nullopt;
    }
    [[nodiscard]] std::optional<std::size_t> read_count(const http::Response &response) const override
    {
        const auto parsed = nlohmann::json::parse(response.body, nullptr, false);
        if (verdict_of(response).outcome != Outcome::delivered || !parsed.is_number_unsigned())
            return std::nullopt;
        return parsed.get<std::size_t>();
    }

    [[nodiscard]] std::string describe(const mapping::Source &source, const Mapping & /*mapping*/) const override
    {
        std::string out = R"({"label": )";
        json::append_string(out, source.table);
        return out + R"(, "relationships": []})";
    }
};

} // namespace

const Target *test_kind() { return immortal<Test>(); }

} // namespace autosync::targets
