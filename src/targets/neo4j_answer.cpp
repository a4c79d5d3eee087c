#include "targets/neo4j_answer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include <nlohmann/json.hpp>

namespace autosync::targets::neo4j {
namespace {

using nlohmann::json;
using Failure = http::Response::Failure;

constexpr int deepest = 64;
constexpr std::size_t longest_message = 1'000;

struct Rule {
    std::string_view code; ///< how it begins, behind 'Neo.'
    Outcome outcome;
    bool halve = false;
    bool again = false;
};

/// The first that fits counts, so exceptions stand before what they except. What a smaller batch may cure is refused when it stands alone:
/// it must not hold up the target for ever.
constexpr std::array rules{
    Rule{"ClientError.Security.AuthenticationRateLimit", Outcome::throttled},
    Rule{"ClientError.Security.", Outcome::unauthorized},
    Rule{"ClientError.Database.", Outcome::unauthorized},
    Rule{"ClientError.General.WriteOnReadOnlyAccessDatabase", Outcome::unauthorized},
    Rule{"ClientError.General.ForbiddenOnReadOnlyDatabase", Outcome::unauthorized},
    Rule{"ClientError.Statement.AccessMode", Outcome::unauthorized},
    Rule{"ClientError.Cluster.", Outcome::unreachable},
    Rule{"ClientError.Transaction.TransactionTimedOut", Outcome::refused, true},
    Rule{"ClientError.Transaction.", Outcome::unreachable, false, true},
    Rule{"ClientError.Request.InvalidFormat", Outcome::refused},
    Rule{"ClientError.Request.", Outcome::unauthorized}, // the URL leads elsewhere
    Rule{"ClientError.", Outcome::refused},
    Rule{"TransientError.General.MemoryPoolOutOfMemoryError", Outcome::refused, true},
    Rule{"TransientError.General.TransactionOutOfMemoryError", Outcome::refused, true},
    Rule{"TransientError.General.OutOfMemoryError", Outcome::refused, true},
    Rule{"TransientError.General.StackOverFlowError", Outcome::refused, true},
    Rule{"TransientError.Transaction.", Outcome::unreachable, false, true}, // deadlocks, lock timeouts
    Rule{"TransientError.", Outcome::unreachable},
    Rule{"DatabaseError.Statement.", Outcome::refused}, // an integer beyond int64 comes as this
    Rule{"DatabaseError.Schema.", Outcome::refused},
    Rule{"DatabaseError.General.UnknownError", Outcome::refused},
    Rule{"DatabaseError.", Outcome::unreachable},
};

/// Cuts in front of a character, not through it.
std::string shortened(std::string text)
{
    if (text.size() <= longest_message)
        return text;
    std::size_t end = longest_message;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
        --end;
    text.resize(end);
    return text;
}

/// Discarded for anything that is not JSON of bearable depth.
json parse(const std::string &body)
{
    bool too_deep = false;
    const auto watch = [&](int depth, json::parse_event_t /*event*/, json & /*value*/) {
        too_deep = too_deep || depth > deepest;
        return !too_deep;
    };
    auto parsed = json::parse(body, watch, false);
    return too_deep ? json(json::value_t::discarded) : parsed;
}

const json *member(const json &object, const char *name)
{
    const auto found = object.is_object() ? object.find(name) : object.end();
    return found == object.end() ? nullptr : &*found;
}

std::string text_of(const json &object, const char *name)
{
    const auto *value = member(object, name);
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string{};
}

Verdict by_code(const json &error, const http::Response &response)
{
    Verdict verdict;
    const auto code = text_of(error, "code");
    verdict.message = shortened(code + ": " + text_of(error, "message"));
    verdict.retry_after = response.retry_after;
    constexpr std::string_view vendor = "Neo.";
    const auto short_code = std::string_view{code}.substr(code.starts_with(vendor) ? vendor.size() : 0);
    const auto rule = std::ranges::find_if(rules, [&](const Rule &each) { return short_code.starts_with(each.code); });
    if (rule == rules.end()) {
        verdict.outcome = Outcome::unreachable;
        return verdict;
    }
    verdict.outcome = rule->outcome;
    verdict.halve = rule->halve;
    verdict.again = rule->again;
    return verdict;
}

/// For answers that do not come from Neo4j itself, but from something in front of it.
Verdict by_status(const http::Response &response)
{
    Verdict verdict;
    verdict.retry_after = response.retry_after;
    verdict.message =
        shortened("HTTP status " + std::to_string(response.status) + " without an answer of Neo4j's HTTP API: " + response.body.substr(0, 200));
    switch (response.status) {
    case 401:
    case 403:
        verdict.outcome = Outcome::unauthorized;
        break;
    case 429:
        verdict.outcome = Outcome::throttled;
        break;
    case 413:
        verdict.outcome = Outcome::refused;
        verdict.halve = true;
        break;
    case 503:
        verdict.outcome = response.retry_after ? Outcome::throttled : Outcome::unreachable;
        break;
    default: // a success that says nothing may have been one
        verdict.outcome = response.status >= 200 && response.status < 300 ? Outcome::unknown : Outcome::unreachable;
    }
    return verdict;
}

Verdict by_failure(const http::Response &response)
{
    Verdict verdict;
    verdict.outcome = response.failure == Failure::connect ? Outcome::unreachable : Outcome::unknown;
    verdict.message = shortened(response.error);
    return verdict;
}

/// What to do about it, behind what is wrong.
std::string advice(const http::Response &response, const std::string &message)
{
    if (response.failure == Failure::broken || (response.failure == Failure::connect && message.find("SSL") != std::string::npos))
        return " (is url that of the HTTP interface? Its port is 7474 for http, 7473 for https; 7687 is that of Bolt)";
    if (response.failure != Failure::none)
        return {};
    if (message.find("ClientError.Security.") != std::string::npos)
        return " (set username and password with CREATE or ALTER USER MAPPING)";
    if (message.find("ClientError.Database.") != std::string::npos)
        return " (name another in the server's option database)";
    return {};
}

/// Fills `body` and says nothing when the answer is one of success.
std::optional<Verdict> problem(const http::Response &response, json &body)
{
    if (response.failure != Failure::none)
        return by_failure(response);
    body = parse(response.body);
    const auto *errors = member(body, "errors");
    if (errors != nullptr && errors->is_array() && !errors->empty())
        return by_code(errors->front(), response);
    const auto *results = member(body, "results");
    if (response.status < 200 || response.status >= 300 || results == nullptr || !results->is_array())
        return by_status(response);
    return std::nullopt;
}

/// Calls `visit` with each row (an array) of each statement. False: the answer has another shape.
template <class Visit> bool each_row(const json &body, const Visit &visit)
{
    for (const auto &result : *member(body, "results")) {
        const auto *data = member(result, "data");
        if (data == nullptr || !data->is_array())
            return false;
        for (const auto &entry : *data) {
            const auto *row = member(entry, "row");
            if (row == nullptr || !row->is_array() || row->empty() || !visit(*row))
                return false;
        }
    }
    return true;
}

/// 5.24 is the first that removes labels by expression.
bool is_too_old(std::string_view version)
{
    unsigned major = 0;
    unsigned minor = 0;
    const auto first = std::from_chars(version.data(), version.data() + version.size(), major);
    if (first.ec != std::errc{} || first.ptr == version.data() + version.size())
        return false;
    (void)std::from_chars(first.ptr + 1, version.data() + version.size(), minor);
    return major < 5 || (major == 5 && minor < 24);
}

} // namespace

Verdict read_verdict(const http::Response &response, std::size_t sent)
{
    json body;
    if (auto trouble = problem(response, body))
        return *trouble;
    // A request that carries no rows asks for something; without an error it did what it should, and what it found is not ours to read.
    Verdict verdict;
    if (sent == 0) {
        verdict.outcome = Outcome::delivered;
        return verdict;
    }
    std::uint64_t applied = 0;
    std::int64_t newer = 0;
    const bool readable = each_row(body, [&](const json &row) {
        if (row.size() != 2 || !row[0].is_number_unsigned() || !(row[1].is_null() || row[1].is_number_integer()))
            return false;
        applied += row[0].get<std::uint64_t>();
        newer = std::max(newer, row[1].is_null() ? 0 : row[1].get<std::int64_t>());
        return true;
    });
    if (readable && applied == sent) {
        verdict.outcome = Outcome::delivered;
    } else if (readable && applied < sent && newer > 0) {
        verdict.outcome = Outcome::stale;
        verdict.newer_version = newer;
        verdict.message = "the graph holds version " + std::to_string(newer);
    } else {
        verdict.message = "an answer that does not account for all " + std::to_string(sent) + " rows";
    }
    return verdict;
}

std::optional<std::vector<std::string>> read_texts(const http::Response &response)
{
    json body;
    std::vector<std::string> texts;
    const auto take = [&](const json &row) {
        if (!row[0].is_string())
            return false;
        texts.push_back(row[0].get<std::string>());
        return true;
    };
    if (problem(response, body) || !each_row(body, take))
        return std::nullopt;
    return texts;
}

std::optional<std::size_t> read_sum(const http::Response &response)
{
    json body;
    std::size_t sum = 0;
    const auto take = [&](const json &row) {
        if (!row[0].is_number_unsigned())
            return false;
        sum += row[0].get<std::size_t>();
        return true;
    };
    if (problem(response, body) || !each_row(body, take))
        return std::nullopt;
    return sum;
}

std::optional<Verdict> read_only_value(const http::Response &response, json &value)
{
    json body;
    if (auto trouble = problem(response, body))
        return trouble;
    const bool readable = each_row(body, [&](const json &row) {
        value = row[0];
        return true;
    });
    if (readable && value.is_object())
        return std::nullopt;
    Verdict verdict;
    verdict.outcome = Outcome::unreachable;
    verdict.message = "an answer of another shape: is this Neo4j?";
    return verdict;
}

Probe read_components(const http::Response &response)
{
    json body;
    if (const auto trouble = problem(response, body))
        return {trouble->outcome, "", trouble->message + advice(response, trouble->message)};
    Probe probe;
    const bool readable = each_row(body, [&](const json &row) {
        probe.version = row[0].is_string() ? row[0].get<std::string>() : "";
        return !probe.version.empty();
    });
    if (!readable || probe.version.empty())
        return {Outcome::unknown, "", "an answer without a version: is this Neo4j?"};
    probe.outcome = Outcome::delivered;
    if (is_too_old(probe.version))
        probe = {Outcome::refused, probe.version, "Neo4j " + probe.version + " is too old: 5.24 or newer is needed"};
    return probe;
}

} // namespace autosync::targets::neo4j
