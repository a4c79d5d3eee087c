#include "targets/qdrant_write.hpp"

#include <algorithm>

#include "mapping/json.hpp"
#include "targets/qdrant_request.hpp"

namespace autosync::targets::qdrant {
namespace {

/// Gathers operations of each kind. Their order matters where a point has several: a fingerprint must never be there without its vector,
/// so it goes first and comes back with the payload, last.
class Script final {
public:
    explicit Script(const Compiled &mapping) : mapping_{mapping}, missing_(mapping.vectors.size()) {}

    void add(const Point &point, const Step &step)
    {
        switch (step.kind) {
        case Step::Kind::nothing:
            break;
        case Step::Kind::upsert:
            separate(upserts_) += R"({"id":)";
            upserts_ += point.id;
            upserts_ += R"(,"vector":)";
            append_vectors(upserts_, mapping_, point);
            ((upserts_ += R"(,"payload":)") += point.payload) += '}';
            break;
        case Step::Kind::change:
            change(point, step);
            break;
        case Step::Kind::remove:
            separate(removed_) += point.id;
            break;
        }
    }
    [[nodiscard]] std::size_t size() const { return upserts_.size() + vectors_.size() + payloads_.size() + changed_.size() + removed_.size(); }

    /// '{"operations":[…]}'
    [[nodiscard]] std::string body(std::size_t &operations) const
    {
        std::string out;
        out.reserve(size() + 300);
        out = R"({"operations":[)";
        const auto open = [&](std::string_view text) -> std::string & {
            if (out.back() != '[')
                out += ',';
            ++operations;
            return out += text;
        };
        if (!removed_.empty())
            (open(R"({"delete":{"points":[)") += removed_) += "]}}";
        if (!upserts_.empty())
            (open(R"({"upsert":{"points":[)") += upserts_) += "]}}";
        if (!changed_.empty())
            (open(R"({"delete_payload":{"keys":["_hash"],"points":[)") += changed_) += "]}}";
        if (!vectors_.empty())
            (open(R"({"update_vectors":{"points":[)") += vectors_) += "]}}";
        for (std::size_t at = 0; at < missing_.size(); ++at) {
            if (!missing_[at].empty())
                (((open(R"({"delete_vectors":{"vector":[)") += mapping_.vectors[at].json_name) += R"(],"points":[)") += missing_[at]) += "]}}";
        }
        if (!payloads_.empty()) {
            open(payloads_);
            operations += overwrites_ - 1;
        }
        return out += "]}";
    }

private:
    static std::string &separate(std::string &list)
    {
        if (!list.empty())
            list += ',';
        return list;
    }
    void change(const Point &point, const Step &step)
    {
        const bool has_vectors = std::ranges::any_of(point.slots, [](const Slot &slot) { return slot.vector != nullptr; });
        if (has_vectors || !step.missing.empty())
            separate(changed_) += point.id;
        if (has_vectors) {
            separate(vectors_) += R"({"id":)";
            vectors_ += point.id;
            vectors_ += R"(,"vector":)";
            append_vectors(vectors_, mapping_, point);
            vectors_ += '}';
        }
        for (const auto at : step.missing)
            separate(missing_[at]) += point.id;
        separate(payloads_) += R"({"overwrite_payload":{"payload":)";
        ((payloads_ += point.payload) += R"(,"points":[)") += point.id;
        payloads_ += "]}}";
        ++overwrites_;
    }

    const Compiled &mapping_;
    std::string upserts_;
    std::string vectors_;
    std::string payloads_;
    std::string changed_; ///< ids whose fingerprints do not hold while their vectors change
    std::string removed_;
    std::vector<std::string> missing_; ///< ids, by vector
    std::size_t overwrites_ = 0;
};

} // namespace

Write write_points(const Server &server, const Compiled &mapping, std::span<const Point> points, std::span<const Step> steps, std::size_t &next,
                   std::size_t most)
{
    Script script{mapping};
    for (; next < points.size(); ++next) {
        const auto size = points[next].size() + script.size();
        if (script.size() > 0 && size > most && steps[next].kind != Step::Kind::nothing)
            break;
        script.add(points[next], steps[next]);
    }
    Write write;
    std::string body = script.body(write.operations);
    if (write.operations > 0)
        write.request = request_of(server, "POST", collection_path(mapping.written(), "/points/batch?wait=true"), std::move(body));
    return write;
}

} // namespace autosync::targets::qdrant
