// AT Protocol: rows as records in the repositories of their owners. Which record a row is, and with which session it is written, the
// worker knows from tables of its own (see atproto/context).
#include <algorithm>
#include <map>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "mapping/json.hpp"
#include "targets/atproto_dialogue.hpp"
#include "targets/atproto_mapping.hpp"
#include "targets/kinds.hpp"

namespace autosync::targets {
namespace atproto {
namespace {

using autosync::atproto::Answer;
using autosync::atproto::read_answer;

constexpr std::size_t most_writes = 50;         // the server is one thread: larger batches gain nothing
constexpr std::size_t most_body = 100U << 10U;  // servers take 150 KB

const Compiled &compiled(const Mapping &mapping) { return static_cast<const Compiled &>(mapping); }

class AtProto final : public Target {
public:
    [[nodiscard]] std::string_view kind() const override { return "atproto"; }
    [[nodiscard]] Capabilities capabilities() const override
    {
        Capabilities able;
        able.max_batch = most_writes;
        able.max_body = most_body;
        able.guarded = false;
        able.mapped = true;
        return able;
    }

    [[nodiscard]] std::unique_ptr<const Mapping> compile(const mapping::Source &source) const override { return compile_source(source); }
    [[nodiscard]] std::vector<Planned> prepare(const Server & /*server*/, const mapping::Source & /*source*/,
                                               const Mapping & /*mapping*/) const override
    {
        return {};
    }

    /// Batches of one identity each, those of different identities by turns.
    [[nodiscard]] std::vector<Planned> plan(const Server & /*server*/, const Batch &batch, std::span<const std::size_t> which,
                                            std::size_t max_changes) const override
    {
        auto &context = static_cast<Context &>(*batch.context);
        std::map<std::string, std::vector<std::size_t>> by_did;
        std::vector<Planned> planned;
        for (const auto change : which) {
            const auto &intent = context.intents[change];
            if (!intent.problem.empty())
                throw std::invalid_argument{intent.problem};
            if (intent.kept)
                continue; // it is somebody else's by now
            if (!intent.former.empty() || !intent.ready_for_batches())
                planned.push_back(plan_single(context, change));
            else if (!intent.at.empty())
                by_did[intent.at.did].push_back(change);
        }
        const std::size_t most = std::clamp<std::size_t>(max_changes, 1, most_writes);
        for (bool more = true; more;) {
            more = false;
            for (auto &[did, changes] : by_did) {
                if (changes.empty())
                    continue;
                planned.push_back(next_batch(context, changes, most));
                more = true;
            }
        }
        return planned;
    }
    [[nodiscard]] std::vector<Planned> preview(const Server &server, const Batch &batch) const override;

    /// Every request has a dialogue.
    [[nodiscard]] Verdict interpret(const Server & /*server*/, const Planned & /*planned*/, const http::Response & /*response*/) const override
    {
        return {};
    }

    [[nodiscard]] http::Request probe(const Server &server) const override
    {
        const auto directory = server.options.find("plc_url");
        return {"GET",
                server.access.url.empty() ? (directory == server.options.end() ? "https://plc.directory" : directory->second) + "/_health"
                                          : server.access.url + "/xrpc/com.atproto.server.describeServer",
                {},
                {}};
    }
    [[nodiscard]] Probe read_probe(const http::Response &response) const override
    {
        const auto reading = read_answer(response);
        const auto body = response.body.size() > 100'000 ? nlohmann::json{} : nlohmann::json::parse(response.body, nullptr, false);
        for (const auto *const name : {"did", "version"}) // of a PDS, of the directory
            if (reading.answer == Answer::done && body.is_object() && body.contains(name) && body[name].is_string())
                return {Outcome::delivered, body[name].get<std::string>(), ""};
        if (reading.answer == Answer::done)
            return {Outcome::refused, "", "what answers is neither a PDS nor a directory of DIDs"};
        return {reading.answer == Answer::limited ? Outcome::throttled : Outcome::unreachable, "", reading.message};
    }

    // What the target holds is known from the record map, so nothing is asked.
    [[nodiscard]] http::Request enumerate(const Server & /*server*/, const mapping::Source & /*source*/, const Mapping & /*mapping*/,
                                          std::string_view /*after*/, std::size_t /*limit*/) const override
    {
        return {};
    }
    [[nodiscard]] std::optional<std::vector<std::string>> read_keys(const http::Response & /*response*/) const override { return std::nullopt; }
    [[nodiscard]] http::Request purge(const Server & /*server*/, const mapping::Source & /*source*/, const Mapping & /*mapping*/,
                                      std::size_t /*limit*/) const override
    {
        return {};
    }
    [[nodiscard]] std::optional<http::Request> collect(const Server & /*server*/, const mapping::Source & /*source*/, const Mapping & /*mapping*/,
                                                       std::chrono::seconds /*age*/, std::size_t /*limit*/) const override
    {
        return std::nullopt;
    }
    [[nodiscard]] std::optional<std::size_t> read_count(const http::Response & /*response*/) const override { return std::nullopt; }

    [[nodiscard]] std::string describe(const mapping::Source & /*source*/, const Mapping &mapping) const override
    {
        std::string out = R"({"label": )";
        mapping::json::append_string(out, compiled(mapping).collection);
        return out + R"(, "relationships": []})";
    }

private:
    /// Takes the next changes off the front.
    [[nodiscard]] static Planned next_batch(Context &context, std::vector<std::size_t> &changes, std::size_t most)
    {
        std::size_t count = 0;
        std::size_t bytes = 0;
        while (count < changes.size() && count < most) {
            const auto size = context.intents[changes[count]].record.size();
            if (count > 0 && bytes + size > most_body)
                break;
            bytes += size;
            ++count;
        }
        const auto end = changes.begin() + static_cast<std::ptrdiff_t>(count);
        std::vector<std::size_t> taken{changes.begin(), end};
        changes.erase(changes.begin(), end);
        const auto &first = context.intents[taken.front()];
        const bool looked_for = first.there == autosync::atproto::There::unknown && !first.removes(); // which costs nothing, as writing does
        return count == 1 && (!looked_for || !first.blobs.empty()) ? plan_single(context, taken.front()) : plan_batch(context, std::move(taken));
    }
};

/// As it would be sent if it stood alone.
std::vector<Planned> AtProto::preview(const Server &server, const Batch &batch) const
{
    const auto &intents = static_cast<const Context &>(*batch.context).intents;
    if (intents.empty() || intents.front().at.empty())
        return {};
    const auto &intent = intents.front();
    if (intent.removes())
        return {{delete_record(server.access.url, intent.at), {0}, nullptr}};
    std::vector<Planned> shown;
    for (const auto &blob : intent.blobs) {
        if (blob.there)
            continue;
        auto upload = upload_blob(server.access.url, blob);
        upload.body = "(" + std::to_string(blob.bytes.size()) + " bytes, " + blob.cid + ")";
        shown.push_back({std::move(upload), {}, nullptr});
    }
    shown.push_back({put_record(server.access.url, intent.at, intent.record), {0}, nullptr});
    return shown;
}

} // namespace
} // namespace atproto

const Target *atproto_kind() { return immortal<atproto::AtProto>(); }

} // namespace autosync::targets
