#include "atproto/context.hpp"

#include <nlohmann/json.hpp>

#include "atproto/record.hpp"

namespace autosync::atproto {

void retype_blob(Intent &intent, const Blob &blob)
{
    auto value = parse_record(intent.record);
    retype_references(value, blob);
    auto record = finish_record(std::move(value), intent.at.collection, {}); // which is complete already
    intent.record = std::move(record.json);
    intent.cid = std::move(record.cid);
}

void Session::authorise(http::Request &request) const
{
    if (!key) {
        request.access = access;
        return;
    }
    auto own = std::make_shared<http::Access>(*access);
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    const auto id = proof_id();
    own->secret_headers.emplace_back("DPoP", proof(*key, {request.method, request.url, nonce, own->bearer_token, now, id}));
    own->secret_headers.emplace_back("Authorization", "DPoP " + own->bearer_token);
    own->bearer_token.clear();
    request.access = std::move(own);
}

void Context::note(const std::string &did, const Reading &reading, const http::Response &response, unsigned points)
{
    auto &session = sessions.at(did);
    if (auto nonce = header(response, "dpop-nonce"); !nonce.empty())
        session.nonce = std::move(nonce);
    if (reading.answer == Answer::expired || reading.answer == Answer::revoked) {
        setbacks[did] = reading.answer;
        reasons[did] = reading.message;
    }
    const bool elsewhere = reading.answer == Answer::unreachable || reading.answer == Answer::unknown || reading.answer == Answer::revoked ||
                           reading.error == "InvalidToken" || reading.error == "RepoNotFound";
    if (session.own_server && elsewhere) // the account may have moved
        doubtful.insert(did);
    if (budgets == nullptr)
        return;
    auto &budget = (*budgets)[did];
    const auto now = Budget::Clock::now();
    if (reading.answer == Answer::done || reading.answer == Answer::unknown)
        budget.spend(points, now);
    if (reading.answer == Answer::limited)
        budget.exhausted(reading.retry_after.value_or(std::chrono::seconds{60}), now);
    else if (reading.remaining && reading.reset)
        budget.correct(*reading.remaining, *reading.reset, now);
}

} // namespace autosync::atproto
