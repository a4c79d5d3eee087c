#include "targets/atproto_talk.hpp"

#include <nlohmann/json.hpp>

namespace autosync::targets::atproto {

using autosync::atproto::read_answer;

nlohmann::json parse_body(const http::Response &response)
{
    constexpr std::size_t most = 4U << 20;
    return response.body.size() > most ? nlohmann::json{} : nlohmann::json::parse(response.body, nullptr, false);
}

std::string member(const nlohmann::json &object, const char *name)
{
    const auto found = object.is_object() ? object.find(name) : object.end();
    return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

Verdict Talk::hear(const http::Response &response)
{
    const auto reading = read_answer(response);
    context_.note(did_, reading, response, points_);
    if (reading.answer == Answer::nonce && !repeated_) {
        repeated_ = true;
        auto again = asked_;
        return ask(did_, std::move(again), points_);
    }
    repeated_ = false;
    return answered(reading, response);
}

Verdict Talk::ask(const std::string &did, http::Request request, unsigned points) { return asking(say(did, std::move(request), points)); }

http::Request Talk::say(const std::string &did, http::Request request, unsigned points)
{
    did_ = did;
    points_ = points;
    asked_ = request;
    context_.session(did).authorise(request);
    return request;
}

Verdict Talk::asking(http::Request request)
{
    Verdict verdict;
    verdict.follow_up = std::move(request);
    return verdict;
}

Verdict Talk::delivered()
{
    Verdict verdict;
    verdict.outcome = Outcome::delivered;
    return verdict;
}

Verdict Talk::trouble(const Reading &reading) const
{
    constexpr std::chrono::seconds other_server{30}; // which is not the target as a whole
    Verdict verdict;
    verdict.message = reading.message;
    verdict.retry_after = reading.retry_after;
    const bool apart = context_.sessions.at(did_).own_server;
    switch (reading.answer) {
    case Answer::done:
        verdict.outcome = Outcome::delivered;
        break;
    case Answer::revoked:
        if (autosync::atproto::account_state(reading.message) == "revoked") // no time mends it
            verdict.message = "sign in anew with autosync.atp_login(); " + reading.message;
        [[fallthrough]];
    case Answer::expired:
    case Answer::nonce:
        verdict.outcome = Outcome::unauthenticated;
        break;
    case Answer::limited:
        verdict.outcome = Outcome::deferred;
        break;
    case Answer::unreachable:
    case Answer::unknown:
        verdict.outcome = apart ? Outcome::deferred : reading.answer == Answer::unknown ? Outcome::unknown : Outcome::unreachable;
        if (apart)
            verdict.retry_after = other_server;
        break;
    case Answer::swapped:
        verdict.outcome = Outcome::conflict;
        break;
    case Answer::too_large:
    case Answer::broken:
    case Answer::invalid:
    case Answer::missing:
        verdict.outcome = Outcome::refused;
        verdict.halve = true; // some other record of the batch may be the one
        break;
    }
    return verdict;
}

} // namespace autosync::targets::atproto
