// Qdrant over its REST API. Writes wait until they are applied and logged: a delivery is confirmed only then.
#include <algorithm>
#include <utility>

#include "mapping/json.hpp"
#include "targets/kinds.hpp"
#include "targets/qdrant_answer.hpp"
#include "targets/qdrant_dialogue.hpp"
#include "targets/qdrant_held.hpp"
#include "targets/qdrant_mapping.hpp"
#include "targets/qdrant_point.hpp"
#include "targets/qdrant_prepare.hpp"
#include "targets/qdrant_request.hpp"

namespace autosync::targets {
namespace qdrant {
namespace {

class Qdrant final : public Target {
public:
    [[nodiscard]] std::string_view kind() const override { return "qdrant"; }
    [[nodiscard]] Capabilities capabilities() const override { return {false, most_points, most_bytes, 4, false}; }

    [[nodiscard]] std::unique_ptr<const Mapping> compile(const mapping::Source &source) const override { return compile_source(source); }

    [[nodiscard]] std::vector<Planned> prepare(const Server &server, const mapping::Source & /*source*/, const Mapping &mapping) const override
    {
        std::vector<Planned> planned;
        planned.push_back(begin_preparation(server, compiled(mapping)));
        return planned;
    }

    [[nodiscard]] std::vector<Planned> plan(const Server &server, const Batch &batch, std::span<const std::size_t> which,
                                            std::size_t max_changes) const override
    {
        std::vector<std::size_t> order(which.begin(), which.end());
        std::ranges::stable_sort(order, {}, [&](std::size_t index) { return batch.changes[index].source; });
        const std::size_t most = std::clamp<std::size_t>(max_changes, 1, capabilities().max_batch);
        std::vector<Planned> planned;
        std::vector<Point> points;
        std::size_t source = 0;
        std::size_t bytes = 0;
        const auto finish = [&] {
            if (!points.empty())
                planned.push_back(begin_dialogue(server, compiled(*batch.mappings[source]), std::exchange(points, {}), batch.version));
            bytes = 0;
        };
        for (const auto index : order) {
            const auto &change = batch.changes[index];
            auto point = make_point(server, compiled(*batch.mappings[change.source]), change, index, batch.version);
            if (change.source != source || points.size() >= most || bytes + point.size() > capabilities().max_body)
                finish();
            source = change.source;
            bytes += point.size();
            points.push_back(std::move(point));
        }
        finish();
        return planned;
    }
    [[nodiscard]] std::vector<Planned> preview(const Server &server, const Batch &batch) const override
    {
        const auto &change = batch.changes.front();
        const auto &mapping = compiled(*batch.mappings[change.source]);
        return preview_point(server, mapping, make_point(server, mapping, change, 0, batch.version));
    }
    /// Of what carries no changes: where there is no collection, there is nothing to be listed or removed.
    [[nodiscard]] Verdict interpret(const Server & /*server*/, const Planned & /*planned*/, const http::Response &response) const override
    {
        auto problem = problem_of(response, Asked::read);
        if (problem && !problem->unprepared)
            return std::move(*problem);
        Verdict verdict;
        verdict.outcome = Outcome::delivered;
        return verdict;
    }

    [[nodiscard]] http::Request probe(const Server &server) const override { return request_of(server, "GET", "/"); }
    [[nodiscard]] Probe read_probe(const http::Response &response) const override { return read_version(response); }

    /// Where searches ask, also while a new collection is being filled beside it.
    [[nodiscard]] std::optional<http::Request> inspect(const Server &server, const mapping::Source & /*source*/, const Mapping &mapping,
                                                       const mapping::Change &change) const override
    {
        return read_payload(server, compiled(mapping).collection, point_id(compiled(mapping), change.key));
    }
    [[nodiscard]] Held read_held(const Server &server, const mapping::Source & /*source*/, const Mapping &mapping, const mapping::Change &change,
                                 const http::Response &response) const override
    {
        return read_point(server, compiled(mapping), change, response);
    }

    [[nodiscard]] http::Request enumerate(const Server &server, const mapping::Source & /*source*/, const Mapping &mapping, std::string_view after,
                                          std::size_t limit) const override
    {
        const auto &of = compiled(mapping);
        return scroll_keys(server, of, after.empty() ? std::string{} : point_id(of, after), limit);
    }
    [[nodiscard]] std::optional<std::vector<std::string>> read_keys(const http::Response &response) const override
    {
        return read_texts(response, "_key");
    }

    /// All at once: Qdrant finds them by an index.
    [[nodiscard]] http::Request purge(const Server &server, const mapping::Source & /*source*/, const Mapping &mapping,
                                      std::size_t /*limit*/) const override
    {
        return delete_source(server, compiled(mapping));
    }
    [[nodiscard]] std::optional<http::Request> collect(const Server & /*server*/, const mapping::Source & /*source*/, const Mapping & /*mapping*/,
                                                       std::chrono::seconds /*age*/, std::size_t /*limit*/) const override
    {
        return std::nullopt;
    }
    [[nodiscard]] std::optional<std::size_t> read_count(const http::Response &response) const override
    {
        if (problem_of(response, Asked::read))
            return std::nullopt;
        return 0; // nothing is left, however many there were
    }

    [[nodiscard]] std::string describe(const mapping::Source & /*source*/, const Mapping &mapping) const override
    {
        std::string out = R"({"label": )";
        mapping::json::append_string(out, compiled(mapping).collection);
        return out + R"(, "relationships": []})";
    }
};

} // namespace
} // namespace qdrant

const Target *qdrant_kind() { return immortal<qdrant::Qdrant>(); }

} // namespace autosync::targets
