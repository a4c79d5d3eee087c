// Neo4j over its transactional HTTP API: one request is one transaction of several statements, all or nothing.
#include <algorithm>
#include <tuple>

#include "mapping/json.hpp"
#include "targets/kinds.hpp"
#include "targets/neo4j_answer.hpp"
#include "targets/neo4j_mapping.hpp"

namespace autosync::targets {
namespace neo4j {
namespace {

namespace json = mapping::json;
using mapping::Change;

const Compiled &compiled(const Mapping &mapping) { return static_cast<const Compiled &>(mapping); }

std::string percent_encoded(std::string_view text)
{
    constexpr std::string_view hex = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
        if (plain)
            out += c;
        else
            (out += '%').append({hex[byte >> 4U], hex[byte & 15U]});
    }
    return out;
}

/// `statements`: JSON objects joined by ','.
http::Request request_of(const Server &server, const std::string &statements)
{
    const auto database = server.options.find("database");
    return {"POST",
            server.access.url + "/db/" + percent_encoded(database == server.options.end() ? "neo4j" : database->second) + "/tx/commit",
            {{"Content-Type", "application/json"}, {"Accept", "application/json;charset=UTF-8"}},
            R"({"statements":[)" + statements + "]}"};
}

std::string statement_of(const std::string &text, const std::string &parameters)
{
    std::string out = R"({"statement":)";
    json::append_string(out, text);
    return out + R"(,"parameters":{)" + parameters + "}}";
}

std::string joined(const std::vector<std::string> &texts, const std::string &parameters)
{
    std::string out;
    for (const auto &text : texts)
        out += (out.empty() ? "" : ",") + statement_of(text, parameters);
    return out;
}

std::string number_parameter(std::string_view name, std::size_t value) { return '"' + std::string(name) + "\":" + std::to_string(value); }

/// Groups what one statement can carry, and inside a group follows the order in which parents are locked, so that transactions do not
/// wait for each other in a circle.
bool goes_before(const Batch &batch, std::size_t left, std::size_t right)
{
    const Change &a = batch.changes[left];
    const Change &b = batch.changes[right];
    if (a.source != b.source || a.removed != b.removed)
        return std::tie(a.source, a.removed) < std::tie(b.source, b.removed);
    for (const auto link : compiled(*batch.mappings[a.source]).links) {
        if (link < a.links.size() && link < b.links.size() && a.links[link] != b.links[link])
            return a.links[link] < b.links[link];
    }
    return a.key < b.key;
}

/// Writes the statements of one request, one row after the other.
class Script final {
public:
    explicit Script(const Batch &batch) : batch_(batch) {}

    void add(const Change &change)
    {
        const auto &mapping = compiled(*batch_.mappings[change.source]);
        if (last_ == nullptr || last_->source != change.source || last_->removed != change.removed)
            begin(change, mapping);
        else
            body_ += ',';
        if (change.removed)
            json::append_string(body_, change.key);
        else
            append_row(body_, mapping, change, batch_.version);
        last_ = &change;
    }
    [[nodiscard]] std::size_t size() const { return body_.size(); }
    [[nodiscard]] std::string take()
    {
        end();
        last_ = nullptr;
        return std::exchange(body_, {});
    }

private:
    void begin(const Change &change, const Compiled &mapping)
    {
        end();
        body_ += body_.empty() ? "" : ",";
        body_ += change.removed ? mapping.remove : mapping.upsert;
        if (change.removed) {
            body_ += R"("v":)";
            json::append_integer(body_, batch_.version);
            body_ += ',';
        }
        body_ += R"("rows":[)";
    }
    void end()
    {
        if (last_ != nullptr)
            body_ += "]}}";
    }

    const Batch &batch_;
    const Change *last_ = nullptr;
    std::string body_;
};

void append_relation(std::string &out, const Relation &relation, const mapping::Source &source)
{
    out += out.back() == '[' ? "" : ", ";
    out += R"({"type": )";
    json::append_string(out, relation.type);
    out += relation.incoming ? R"(, "direction": "in", "label": )" : R"(, "direction": "out", "label": )";
    json::append_string(out, relation.label);
    out += R"(, "columns": [)";
    for (const auto &column : source.links[relation.link].columns) {
        out += out.back() == '[' ? "" : ", ";
        json::append_string(out, column);
    }
    out += "]}";
}

class Neo4j final : public Target {
public:
    [[nodiscard]] std::string_view kind() const override { return "neo4j"; }
    /// More connections gain nothing, and deadlock on common parents.
    [[nodiscard]] Capabilities capabilities() const override { return {false, 1'000, 8U << 20U, 1}; }
    [[nodiscard]] std::string_view remains() const override { return "its key stays as a tombstone for 24 hours, and as long as other rows refer to it"; }

    [[nodiscard]] std::unique_ptr<const Mapping> compile(const mapping::Source &source) const override { return compile_source(source); }

    [[nodiscard]] std::vector<Planned> prepare(const Server &server, const mapping::Source & /*source*/, const Mapping &mapping) const override
    {
        return {{request_of(server, joined(schema_statements(compiled(mapping).shape), "")), {}, nullptr}};
    }

    [[nodiscard]] std::vector<Planned> plan(const Server &server, const Batch &batch, std::span<const std::size_t> which,
                                            std::size_t max_changes) const override
    {
        std::vector<std::size_t> order(which.begin(), which.end());
        std::ranges::sort(order, [&](std::size_t left, std::size_t right) { return goes_before(batch, left, right); });
        std::vector<Planned> planned;
        const std::size_t most = std::clamp<std::size_t>(max_changes, 1, capabilities().max_batch);
        Script script{batch};
        std::vector<std::size_t> carried;
        const auto finish = [&] {
            if (!carried.empty())
                planned.push_back({request_of(server, script.take()), std::exchange(carried, {}), nullptr});
        };
        for (const auto index : order) {
            script.add(batch.changes[index]);
            carried.push_back(index);
            if (carried.size() >= most || script.size() >= capabilities().max_body)
                finish();
        }
        finish();
        return planned;
    }
    [[nodiscard]] Verdict interpret(const Server & /*server*/, const Planned &planned, const http::Response &response) const override
    {
        return read_verdict(response, planned.changes.size());
    }

    [[nodiscard]] http::Request probe(const Server &server) const override
    {
        return request_of(server, statement_of("CALL dbms.components() YIELD versions, edition RETURN versions[0] AS version, edition", ""));
    }
    [[nodiscard]] Probe read_probe(const http::Response &response) const override { return read_components(response); }

    [[nodiscard]] std::optional<http::Request> inspect(const Server &server, const mapping::Source & /*source*/, const Mapping &mapping,
                                                       const Change &change) const override
    {
        std::string script = compiled(mapping).inspect + R"("rows":[)";
        Change whole = change;
        whole.row.resize(std::max(whole.row.size(), compiled(mapping).fields.size())); // of a removed one the key is all there is
        append_row(script, compiled(mapping), whole, 0);
        return request_of(server, script + "]}}");
    }
    [[nodiscard]] Held read_held(const Server & /*server*/, const mapping::Source & /*source*/, const Mapping &mapping, const Change &change,
                                 const http::Response &response) const override
    {
        return read_inspected(response, compiled(mapping).shape, change.removed);
    }

    [[nodiscard]] http::Request enumerate(const Server &server, const mapping::Source & /*source*/, const Mapping &mapping, std::string_view after,
                                          std::size_t limit) const override
    {
        std::string parameters = R"("after":)";
        json::append_string(parameters, after);
        return request_of(
            server, statement_of(enumerate_statement(compiled(mapping).shape, after.empty()), parameters + ',' + number_parameter("limit", limit)));
    }
    [[nodiscard]] std::optional<std::vector<std::string>> read_keys(const http::Response &response) const override { return read_texts(response); }

    [[nodiscard]] http::Request purge(const Server &server, const mapping::Source & /*source*/, const Mapping &mapping,
                                      std::size_t limit) const override
    {
        const auto parameter = number_parameter("limit", limit);
        const auto &of = compiled(mapping);
        return request_of(server, of.purge + parameter + "}}," + joined(stub_statements(of.shape), parameter));
    }
    [[nodiscard]] std::optional<http::Request> collect(const Server &server, const mapping::Source & /*source*/, const Mapping &mapping,
                                                       std::chrono::seconds age, std::size_t limit) const override
    {
        const auto milliseconds = std::to_string(std::chrono::milliseconds{age}.count());
        return request_of(
            server, statement_of(collect_statement(compiled(mapping).shape), "\"age\":" + milliseconds + ',' + number_parameter("limit", limit)));
    }
    [[nodiscard]] std::optional<std::size_t> read_count(const http::Response &response) const override { return read_sum(response); }

    [[nodiscard]] std::string describe(const mapping::Source &source, const Mapping &mapping) const override
    {
        const auto &shape = compiled(mapping).shape;
        std::string out = R"({"label": )";
        if (!shape.edge) {
            json::append_string(out, shape.label);
            out += R"(, "relationships": [)";
            for (const auto &relation : shape.relations)
                append_relation(out, relation, source);
            return out + "]}";
        }
        out += R"(null, "relationships": [{"type": )";
        json::append_string(out, shape.edge->type);
        out += R"(, "from": )";
        json::append_string(out, shape.edge->from.label);
        out += R"(, "to": )";
        json::append_string(out, shape.edge->to.label);
        return out + "}]}";
    }
};

} // namespace
} // namespace neo4j

const Target *neo4j_kind() { return immortal<neo4j::Neo4j>(); }

} // namespace autosync::targets
