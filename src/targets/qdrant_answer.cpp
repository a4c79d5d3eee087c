#include "targets/qdrant_answer.hpp"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>
#include <simdjson.h>

#include "config/json.hpp"

namespace autosync::targets::qdrant {
namespace {

namespace ondemand = simdjson::ondemand;
using Failure = http::Response::Failure;

constexpr std::size_t longest_message = 900;
constexpr std::size_t longest_hash = 64;
constexpr std::int64_t greatest_version = std::int64_t{1} << 53U; // ours are exact in a float64
constexpr std::string_view strange = "an answer of another shape: is this Qdrant?";

bool contains(std::string_view text, std::string_view piece) { return text.find(piece) != std::string_view::npos; }

Verdict verdict_of(Outcome outcome, std::string message)
{
    Verdict verdict;
    verdict.outcome = outcome;
    verdict.message = std::move(message);
    return verdict;
}

/// 400 and its relatives: something about what was sent.
Verdict refusal(const http::Response &response)
{
    auto verdict = verdict_of(Outcome::refused, error_text(response));
    verdict.halve = response.status == 413 || contains(verdict.message, "larger than allowed");
    return verdict;
}

bool read_hashes(ondemand::value value, Stored &stored)
{
    ondemand::json_type type{};
    if (value.type().get(type) != simdjson::SUCCESS)
        return false;
    std::string_view text;
    if (type == ondemand::json_type::string) {
        if (value.get_string().get(text) != simdjson::SUCCESS)
            return false;
        stored.hash = text.substr(0, longest_hash);
    } else if (type == ondemand::json_type::object) {
        ondemand::object object;
        if (value.get_object().get(object) != simdjson::SUCCESS)
            return false;
        for (auto field : object) {
            std::string_view name;
            if (field.unescaped_key().get(name) != simdjson::SUCCESS)
                return false;
            std::string key(name);
            if (field.value().get_string().get(text) == simdjson::SUCCESS)
                stored.hashes.emplace_back(std::move(key), text.substr(0, longest_hash));
        }
    }
    return true;
}

bool read_payload(ondemand::object payload, Stored &stored)
{
    for (auto field : payload) {
        std::string_view name;
        ondemand::value value;
        if (field.unescaped_key().get(name) != simdjson::SUCCESS || field.value().get(value) != simdjson::SUCCESS)
            return false;
        if (name == "_v") {
            std::int64_t version = 0;
            if (value.get_int64().get(version) == simdjson::SUCCESS && version >= 0 && version < greatest_version)
                stored.version = version;
        } else if (name == "_hash" && !read_hashes(value, stored)) {
            return false;
        }
    }
    return true;
}

bool read_point(ondemand::object point, Stored &stored)
{
    for (auto field : point) {
        std::string_view name;
        ondemand::value value;
        if (field.unescaped_key().get(name) != simdjson::SUCCESS || field.value().get(value) != simdjson::SUCCESS)
            return false;
        if (name == "id") {
            ondemand::json_type type{};
            std::uint64_t number = 0;
            std::string_view text;
            if (value.type().get(type) != simdjson::SUCCESS)
                return false;
            if (type == ondemand::json_type::number && value.get_uint64().get(number) == simdjson::SUCCESS)
                stored.id = std::to_string(number);
            else if (type == ondemand::json_type::string && value.get_string().get(text) == simdjson::SUCCESS && text.size() <= longest_hash)
                stored.id = '"' + std::string(text) + '"';
        } else if (name == "payload") {
            ondemand::json_type type{};
            ondemand::object payload;
            if (value.type().get(type) != simdjson::SUCCESS)
                return false;
            if (type == ondemand::json_type::object && (value.get_object().get(payload) != simdjson::SUCCESS || !read_payload(payload, stored)))
                return false;
        }
    }
    return !stored.id.empty();
}

/// Small answers.
std::optional<config::Json> result_of(const http::Response &response)
{
    auto parsed = config::parse_json(response.body);
    if (!parsed || !parsed->is_object())
        return std::nullopt;
    const auto found = parsed->find("result");
    return found == parsed->end() ? std::nullopt : std::optional<config::Json>{std::move(*found)};
}

std::string status_of(const config::Json &update)
{
    const auto status = update.is_object() ? update.find("status") : update.end();
    return update.is_object() && status != update.end() && status->is_string() ? status->get<std::string>() : "";
}

bool is_too_old(std::string_view version)
{
    unsigned major = 0;
    unsigned minor = 0;
    const auto first = std::from_chars(version.data(), version.data() + version.size(), major);
    if (first.ec != std::errc{} || first.ptr == version.data() + version.size())
        return false;
    (void)std::from_chars(first.ptr + 1, version.data() + version.size(), minor);
    return major < 1 || (major == 1 && minor < 12);
}

} // namespace

std::string error_text(const http::Response &response)
{
    if (response.failure != Failure::none)
        return response.error.substr(0, longest_message);
    std::string text;
    if (const auto parsed = config::parse_json(response.body); parsed && parsed->is_object()) {
        const auto status = parsed->find("status");
        if (status != parsed->end() && status->is_object()) {
            const auto error = status->find("error");
            if (error != status->end() && error->is_string())
                text = error->get<std::string>();
        }
    }
    if (text.empty())
        text = response.body;
    return text.empty() ? "HTTP status " + std::to_string(response.status) : text.substr(0, longest_message);
}

std::optional<Verdict> problem_of(const http::Response &response, Asked asked)
{
    const bool write = asked == Asked::write;
    if (response.failure != Failure::none)
        return verdict_of(write && response.failure != Failure::connect ? Outcome::unknown : Outcome::unreachable, error_text(response));
    switch (response.status) {
    case 200:
        return std::nullopt;
    case 401:
    case 403:
        return verdict_of(Outcome::unauthorized, error_text(response));
    case 404: {
        auto verdict = verdict_of(Outcome::unreachable, error_text(response));
        verdict.unprepared = true;
        return verdict;
    }
    case 400:
    case 409:
    case 413:
    case 422:
        return refusal(response);
    case 429: {
        auto verdict = verdict_of(Outcome::throttled, error_text(response));
        verdict.retry_after = response.retry_after;
        return verdict;
    }
    case 503: {
        auto verdict = verdict_of(response.retry_after ? Outcome::throttled : Outcome::unreachable, error_text(response));
        verdict.retry_after = response.retry_after;
        return verdict;
    }
    case 502:
    case 504: // of something between us: what it passed on may be done yet
        return verdict_of(write ? Outcome::unknown : Outcome::unreachable, error_text(response));
    default:
        return verdict_of(write && response.status > 200 && response.status < 300 ? Outcome::unknown : Outcome::unreachable, error_text(response));
    }
}

std::optional<std::vector<Stored>> read_stored(std::string_view text)
{
    std::vector<Stored> points;
    ondemand::parser parser;
    const simdjson::padded_string padded{text};
    ondemand::document document;
    ondemand::object body;
    ondemand::array result;
    if (parser.iterate(padded).get(document) != simdjson::SUCCESS || document.get_object().get(body) != simdjson::SUCCESS ||
        body.find_field_unordered("result").get_array().get(result) != simdjson::SUCCESS)
        return std::nullopt;
    for (auto item : result) {
        ondemand::object point;
        Stored stored;
        if (item.get_object().get(point) != simdjson::SUCCESS || !read_point(point, stored))
            return std::nullopt;
        points.push_back(std::move(stored));
    }
    return points;
}

Verdict read_update(const http::Response &response, std::size_t operations)
{
    if (auto problem = problem_of(response, Asked::write))
        return *problem;
    const auto result = result_of(response);
    if (!result || (result->is_array() ? result->size() != operations : operations != 1))
        return verdict_of(Outcome::unknown, std::string(strange));
    const auto check = [](const config::Json &update) { return status_of(update) == "completed"; };
    if (!result->is_array() ? !check(*result) : !std::all_of(result->begin(), result->end(), check))
        return verdict_of(Outcome::unknown, "not all operations are completed: " + result->dump().substr(0, longest_message));
    return verdict_of(Outcome::delivered, "");
}

bool lacks_point(const http::Response &response) { return response.status == 404 && contains(error_text(response), "No point with id"); }

bool has_wrong_size(const http::Response &response)
{
    return response.failure == Failure::none && response.status == 400 && contains(error_text(response), "Vector dimension error");
}

std::optional<std::vector<std::string>> read_texts(const http::Response &response, std::string_view member)
{
    if (problem_of(response, Asked::read))
        return std::nullopt;
    std::vector<std::string> texts;
    ondemand::parser parser;
    const simdjson::padded_string padded{response.body};
    ondemand::document document;
    ondemand::object result;
    ondemand::array points;
    if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
        document.find_field_unordered("result").get_object().get(result) != simdjson::SUCCESS ||
        result.find_field_unordered("points").get_array().get(points) != simdjson::SUCCESS)
        return std::nullopt;
    for (auto item : points) {
        ondemand::object point;
        std::string_view text;
        if (item.get_object().get(point) != simdjson::SUCCESS)
            return std::nullopt;
        if (point.find_field_unordered("payload").find_field_unordered(member).get_string().get(text) == simdjson::SUCCESS)
            texts.emplace_back(text);
    }
    return texts;
}

Probe read_version(const http::Response &response)
{
    if (const auto problem = problem_of(response, Asked::read))
        return {problem->outcome, "", problem->message};
    const auto parsed = config::parse_json(response.body);
    const auto version = parsed && parsed->is_object() && parsed->contains("version") ? parsed->at("version") : config::Json{};
    const auto title = parsed && parsed->is_object() && parsed->contains("title") ? parsed->at("title") : config::Json{};
    if (!version.is_string() || !title.is_string() || !contains(title.get_ref<const std::string &>(), "qdrant"))
        return {Outcome::unknown, "", "an answer without a version: is this Qdrant?"};
    Probe probe{Outcome::delivered, version.get<std::string>(), ""};
    if (is_too_old(probe.version))
        probe = {Outcome::refused, probe.version, "Qdrant " + probe.version + " is too old: 1.12 or newer is needed"};
    return probe;
}

} // namespace autosync::targets::qdrant
