#include "embed/answer.hpp"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <utility>

#include <simdjson.h>

#include "config/json.hpp"
#include "embed/vector.hpp"

namespace autosync::embed {
namespace {

namespace ondemand = simdjson::ondemand;
using http::Response;
using Kind = Problem::Kind;

constexpr std::size_t longest_message = 700;
constexpr std::string_view strange = "the embedder answers with something else than embeddings: is this the base URL of an OpenAI-compatible API?";

std::string shortened(std::string_view text) { return std::string(text.substr(0, longest_message)); }

Problem problem_of(Kind kind, std::string message) { return {kind, std::move(message), std::nullopt}; }

/// Reads one element of `data`. False: it is no embedding at all.
bool read_element(ondemand::object element, std::size_t position, Answer &answer, std::string_view &bad)
{
    std::uint64_t index = position; // unless it says otherwise
    Vector vector;
    std::size_t dimensions = 0;
    bool has_vector = false;
    for (auto field : element) {
        std::string_view name;
        if (field.unescaped_key().get(name) != simdjson::SUCCESS)
            return false;
        ondemand::value value;
        if (field.value().get(value) != simdjson::SUCCESS)
            return false;
        if (name == "index") {
            if (value.get_uint64().get(index) != simdjson::SUCCESS)
                return false;
        } else if (name == "embedding") {
            ondemand::json_type type{};
            has_vector = true;
            if (value.type().get(type) != simdjson::SUCCESS)
                return false;
            if (type == ondemand::json_type::string) {
                std::string_view text;
                if (value.get_string().get(text) != simdjson::SUCCESS)
                    return false;
                if (auto decoded = from_base64(text)) {
                    vector = std::make_shared<const std::string>(std::move(decoded->text));
                    dimensions = decoded->dimensions;
                }
            } else if (type == ondemand::json_type::array) {
                ondemand::array array;
                std::string_view raw;
                if (value.get_array().get(array) != simdjson::SUCCESS || array.raw_json().get(raw) != simdjson::SUCCESS)
                    return false;
                if (const auto count = count_numbers(raw)) {
                    vector = std::make_shared<const std::string>(raw);
                    dimensions = *count;
                }
            }
            if (vector == nullptr)
                bad = "the embedder answers with a vector that is no list of finite numbers";
        }
    }
    if (!has_vector || index >= answer.vectors.size() || answer.vectors[index] != nullptr)
        return false;
    if (answer.dimensions == 0)
        answer.dimensions = dimensions;
    if (vector != nullptr && dimensions != answer.dimensions)
        return false;
    answer.vectors[index] = std::move(vector);
    return true;
}

std::size_t read_tokens(ondemand::object usage)
{
    std::uint64_t total = 0;
    std::uint64_t prompt = 0;
    for (auto field : usage) {
        std::string_view name;
        std::uint64_t number = 0;
        if (field.unescaped_key().get(name) != simdjson::SUCCESS || field.value().get_uint64().get(number) != simdjson::SUCCESS)
            continue;
        if (name == "total_tokens")
            total = number;
        else if (name == "prompt_tokens")
            prompt = number;
    }
    constexpr std::uint64_t most = 1U << 30U; // a number beyond that is no count of what one request took
    return static_cast<std::size_t>(std::min(std::max(total, prompt), most));
}

/// Vectors and usage of a whole answer. False: it is something else.
bool read_body(ondemand::object body, Answer &answer, std::string_view &bad)
{
    std::size_t found = 0;
    for (auto field : body) {
        std::string_view name;
        ondemand::value value;
        if (field.unescaped_key().get(name) != simdjson::SUCCESS || field.value().get(value) != simdjson::SUCCESS)
            return false;
        if (name == "data") {
            ondemand::array data;
            if (found != 0 || value.get_array().get(data) != simdjson::SUCCESS)
                return false;
            for (auto item : data) {
                ondemand::object element;
                if (item.get_object().get(element) != simdjson::SUCCESS || !read_element(element, found++, answer, bad))
                    return false;
            }
        } else if (name == "usage") {
            ondemand::object usage;
            if (value.get_object().get(usage) == simdjson::SUCCESS)
                answer.tokens = read_tokens(usage);
        }
    }
    return found == answer.vectors.size();
}

/// {"error": {"message": …, "type": …, "code": …, "param": …}}, {"error": "…"} or {"message": …, "error_type": …}.
struct Error {
    std::string message;
    std::string code; ///< code and type together: providers put the word into either
    std::string param;
};

Error read_error(const Response &response)
{
    Error error;
    const auto parsed = config::parse_json(response.body);
    const auto text = [](const config::Json &object, const char *name) {
        const auto found = object.find(name);
        return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
    };
    if (parsed && parsed->is_object()) {
        const auto inner = parsed->find("error");
        const auto &object = inner != parsed->end() && inner->is_object() ? *inner : *parsed;
        error.message = text(object, "message");
        if (error.message.empty())
            error.message = text(*parsed, "error");
        error.code = text(object, "code") + ' ' + text(object, "type") + ' ' + text(object, "error_type");
        error.param = text(object, "param");
    }
    if (error.message.empty())
        error.message = response.body;
    error.message = shortened(error.message.empty() ? "HTTP status " + std::to_string(response.status) : error.message);
    return error;
}

bool mentions(std::string_view text, std::initializer_list<std::string_view> words)
{
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return std::ranges::any_of(words, [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

/// Of a 400 and its relatives. Servers have no common code for what is too long, but all of them say so.
Kind kind_of_refusal(const Error &error)
{
    if (error.param == "model" || error.param == "dimensions" || error.param == "encoding_format" || mentions(error.code, {"model_not_found"}))
        return Kind::unauthorized;
    const bool too_much = mentions(error.code, {"max_tokens", "context_length", "array_above_max_length", "too_large"}) ||
                          mentions(error.message, {"context length", "token", "too long", "too large", "too many", "maximum length", "batch size"});
    return too_much ? Kind::too_much : Kind::refused;
}

} // namespace

Problem read_problem(const Response &response)
{
    if (response.failure != Response::Failure::none)
        return problem_of(response.failure == Response::Failure::timeout ? Kind::timeout : Kind::unreachable,
                          "embedder: " + shortened(response.error));
    const auto error = read_error(response);
    Problem problem{Kind::unreachable, "embedder: " + error.message, response.retry_after};
    switch (response.status) {
    case 401:
    case 402:
    case 403:
    case 404: // no such model, or no such path
    case 405:
        problem.kind = Kind::unauthorized;
        break;
    case 429: // an exhausted quota has the same status, and waiting does not fill it
        problem.kind = mentions(error.code, {"insufficient_quota", "billing"}) ? Kind::unauthorized : Kind::throttled;
        break;
    case 413:
        problem.kind = Kind::too_much;
        break;
    case 400:
    case 422:
        problem.kind = kind_of_refusal(error);
        break;
    case 408:
    case 504:
        problem.kind = Kind::timeout;
        break;
    case 503:
        problem.kind = response.retry_after ? Kind::throttled : Kind::unreachable;
        break;
    default:
        break;
    }
    return problem;
}

Answer read_answer(const Response &response, std::size_t count, std::size_t dimensions)
{
    Answer answer;
    if (response.failure != Response::Failure::none || response.status != 200) {
        answer.problem = read_problem(response);
        return answer;
    }
    answer.vectors.resize(count);
    std::string_view bad;
    ondemand::parser parser;
    const simdjson::padded_string padded{response.body};
    ondemand::document document;
    ondemand::object body;
    const bool readable = parser.iterate(padded).get(document) == simdjson::SUCCESS && document.get_object().get(body) == simdjson::SUCCESS &&
                          read_body(body, answer, bad);
    if (!readable)
        answer.problem = problem_of(Kind::unreachable, std::string(strange));
    else if (!bad.empty())
        answer.problem = problem_of(Kind::refused, std::string(bad));
    else if (dimensions != 0 && answer.dimensions != dimensions)
        answer.problem = problem_of(Kind::unreachable, "the embedder answers with vectors of " + std::to_string(answer.dimensions) +
                                                           " dimensions, not of " + std::to_string(dimensions));
    if (answer.problem)
        answer.vectors.clear();
    return answer;
}

} // namespace autosync::embed
