#include "atproto/answer.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <nlohmann/json.hpp>

#include "http/check.hpp"

namespace autosync::atproto {
namespace {

using namespace std::string_view_literals;

constexpr std::chrono::seconds default_pause{60}; // a server that limits and does not say for how long

std::optional<long long> number(std::string_view text)
{
    long long value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional{value} : std::nullopt;
}

Answer judge(const http::Response &response, std::string_view error)
{
    constexpr std::array expired{"ExpiredToken"sv, "invalid_token"sv};
    // InvalidToken: of another server or key, mangled; nothing that a refresh with the same session could not mend is lost by trying it.
    constexpr std::array revoked{"AuthMissing"sv, "AuthenticationRequired"sv, "AccountDeactivated"sv, "AccountTakedown"sv, "AccountSuspended"sv,
                                 "AccountNotFound"sv, "RepoTakendown"sv, "RepoDeactivated"sv, "invalid_grant"sv};
    const auto names = [error](const auto &list) { return std::ranges::find(list, error) != list.end(); };
    if (response.status == 429 || error == "RateLimitExceeded")
        return Answer::limited;
    if (error == "use_dpop_nonce")
        return Answer::nonce;
    if (names(expired) || error == "InvalidToken")
        return Answer::expired;
    if (names(revoked) || response.status == 401)
        return Answer::revoked;
    if (error == "InvalidSwap")
        return Answer::swapped;
    if (error == "RecordNotFound")
        return Answer::missing;
    if (response.status == 413)
        return Answer::too_large;
    if (response.status >= 400 && response.status < 500)
        return Answer::invalid;
    return response.status == 500 && !error.empty() ? Answer::broken : Answer::unreachable;
}

} // namespace

std::string account_state(std::string_view message)
{
    constexpr std::array deactivated{"AccountDeactivated"sv, "RepoDeactivated"sv, "deactivated"sv};
    constexpr std::array taken_down{"AccountTakedown"sv, "AccountSuspended"sv, "RepoTakendown"sv, "takendown"sv, "suspended"sv};
    const auto begins = [message](std::string_view name) { return message.starts_with(name); };
    return std::ranges::any_of(deactivated, begins) ? "deactivated" : std::ranges::any_of(taken_down, begins) ? "taken_down" : "revoked";
}

std::string header(const http::Response &response, std::string_view name)
{
    const auto found = std::ranges::find_if(response.headers, [name](const auto &entry) { return http::same_header(entry.first, name); });
    return found == response.headers.end() ? std::string{} : found->second;
}

Reading read_answer(const http::Response &response)
{
    using Failure = http::Response::Failure;
    Reading reading;
    if (response.failure != Failure::none) {
        reading.answer = response.failure == Failure::connect ? Answer::unreachable : Answer::unknown;
        reading.message = response.error;
        return reading;
    }
    if (const auto left = number(header(response, "ratelimit-remaining")); left && *left >= 0)
        reading.remaining = static_cast<unsigned>(std::min<long long>(*left, 1'000'000));
    if (const auto at = number(header(response, "ratelimit-reset"))) {
        const auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
        reading.reset = std::chrono::seconds{std::clamp<long long>(*at, now, now + 86'400) - now};
    }
    if (response.status >= 200 && response.status < 300) {
        reading.answer = Answer::done;
        return reading;
    }
    constexpr std::size_t most = 100'000;
    const auto body = response.body.size() > most ? nlohmann::json{} : nlohmann::json::parse(response.body, nullptr, false);
    const auto member = [&](const char *name) {
        const auto found = body.is_object() ? body.find(name) : body.end();
        return body.is_object() && found != body.end() && found->is_string() ? found->get<std::string>() : std::string{};
    };
    reading.error = member("error");
    const auto text = member("message").empty() ? member("error_description") : member("message");
    reading.answer = judge(response, reading.error);
    reading.message = reading.error.empty() ? "HTTP status " + std::to_string(response.status) : reading.error + (text.empty() ? "" : ": " + text);
    if (reading.error == "ScopeMissingError") // of this collection: the session may be good for others
        reading.message += "; sign in with a session that has it, then call autosync.retry()";
    if (reading.answer == Answer::limited)
        reading.retry_after = response.retry_after ? response.retry_after : reading.reset ? reading.reset : std::optional{default_pause};
    return reading;
}

} // namespace autosync::atproto
