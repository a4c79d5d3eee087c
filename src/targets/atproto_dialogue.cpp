#include "targets/atproto_dialogue.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace autosync::targets::atproto {
namespace {

using autosync::atproto::Answer;
using autosync::atproto::read_answer;
using autosync::atproto::Reading;

nlohmann::json parse(const http::Response &response)
{
    constexpr std::size_t most = 4U << 20;
    return response.body.size() > most ? nlohmann::json{} : nlohmann::json::parse(response.body, nullptr, false);
}

std::string member(const nlohmann::json &object, const char *name)
{
    const auto found = object.is_object() ? object.find(name) : object.end();
    return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

/// What is common to all: how answers become verdicts, requests get their credentials, a nonce is taken up.
class Talk : public Dialogue {
public:
    explicit Talk(Context &context) : context_{context} {}

    [[nodiscard]] Verdict hear(const http::Response &response) final
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
    /// The first request.
    [[nodiscard]] virtual http::Request open() = 0;

protected:
    [[nodiscard]] virtual Verdict answered(const Reading &reading, const http::Response &response) = 0;

    /// What is sent next, on behalf of this identity.
    [[nodiscard]] Verdict ask(const std::string &did, http::Request request, unsigned points)
    {
        Verdict verdict;
        verdict.follow_up = say(did, std::move(request), points);
        return verdict;
    }
    [[nodiscard]] http::Request say(const std::string &did, http::Request request, unsigned points)
    {
        did_ = did;
        points_ = points;
        asked_ = request;
        context_.session(did).authorise(request);
        return request;
    }
    [[nodiscard]] static Verdict delivered()
    {
        Verdict verdict;
        verdict.outcome = Outcome::delivered;
        return verdict;
    }
    [[nodiscard]] Verdict trouble(const Reading &reading) const
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
        case Answer::expired:
        case Answer::revoked:
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

    Context &context_; // NOLINT(cppcoreguidelines-non-private-member-variables-in-classes)

private:
    std::string did_;
    unsigned points_ = 0;
    http::Request asked_;
    bool repeated_ = false;
};

class Batched final : public Talk {
public:
    Batched(Context &context, std::vector<std::size_t> changes) : Talk{context}, changes_{std::move(changes)}
    {
        for (const auto change : changes_)
            if (intent(change).there == There::unknown)
                unknown_.push_back(change);
    }

    [[nodiscard]] http::Request open() override { return unknown_.empty() ? write() : look(); }

private:
    [[nodiscard]] Intent &intent(std::size_t change) { return context_.intents[change]; }
    [[nodiscard]] const std::string &did() { return intent(changes_.front()).at.did; }

    [[nodiscard]] http::Request look()
    {
        const auto &session = context_.session(did());
        return say(did(), get_record(session.pds, intent(unknown_.back()).at), 0);
    }

    [[nodiscard]] http::Request write()
    {
        Writes writes{did()};
        written_.clear();
        unsigned points = 0;
        for (const auto change : changes_) {
            const auto &each = intent(change);
            const bool there = each.there == There::yes;
            if (each.removes() ? !there : there && each.confirmed == each.cid)
                continue; // it is as it should be
            points += each.points();
            if (each.removes())
                writes.remove(each);
            else if (there)
                writes.update(each);
            else
                writes.create(each);
            written_.push_back(change);
        }
        return say(did(), writes.request(context_.session(did()).pds), points);
    }

    [[nodiscard]] Verdict answered(const Reading &reading, const http::Response &response) override
    {
        return unknown_.empty() ? applied(reading, response) : looked(reading, response);
    }

    [[nodiscard]] Verdict looked(const Reading &reading, const http::Response &response)
    {
        if (reading.answer != Answer::done && reading.answer != Answer::missing)
            return trouble(reading);
        auto &each = intent(unknown_.back());
        each.there = reading.answer == Answer::done ? There::yes : There::no;
        each.confirmed = reading.answer == Answer::done ? member(parse(response), "cid") : std::string{};
        unknown_.pop_back();
        Verdict verdict;
        if (!unknown_.empty()) {
            verdict.follow_up = look();
            return verdict;
        }
        auto request = write();
        if (written_.empty())
            return delivered();
        verdict.follow_up = std::move(request);
        return verdict;
    }

    [[nodiscard]] Verdict applied(const Reading &reading, const http::Response &response)
    {
        if (reading.answer == Answer::broken && !looked_) { // perhaps we were wrong about what is there
            looked_ = true;
            unknown_ = changes_;
            Verdict verdict;
            verdict.follow_up = look();
            return verdict;
        }
        if (reading.answer != Answer::done)
            return trouble(reading);
        const auto body = parse(response);
        const auto results = body.is_object() ? body.find("results") : body.end();
        for (std::size_t i = 0; i < written_.size(); ++i) {
            auto &each = intent(written_[i]);
            each.there = each.removes() ? There::no : There::yes;
            const bool told = body.is_object() && results != body.end() && results->is_array() && results->size() == written_.size();
            const auto cid = told ? member((*results)[i], "cid") : std::string{};
            each.confirmed = cid.empty() ? each.cid : cid;
        }
        return delivered();
    }

    std::vector<std::size_t> changes_;
    std::vector<std::size_t> unknown_; ///< still to be looked for, the last one next
    std::vector<std::size_t> written_; ///< in the order of the request
    bool looked_ = false;
};

class Single final : public Talk {
public:
    Single(Context &context, std::size_t change) : Talk{context}, intent_{context.intents[change]} {}

    [[nodiscard]] http::Request open() override
    {
        const auto &at = intent_.at;
        if (at.empty())
            return clear();
        const auto &pds = context_.session(at.did).pds;
        const auto own = intent_.points() - static_cast<unsigned>(intent_.former.size()) * autosync::atproto::delete_points;
        return say(at.did, intent_.removes() ? delete_record(pds, at) : put_record(pds, at, intent_.record), own);
    }

private:
    /// The next of the places where it was before.
    [[nodiscard]] http::Request clear()
    {
        clearing_ = true;
        const auto &at = intent_.former.back();
        return say(at.did, delete_record(context_.session(at.did).pds, at), autosync::atproto::delete_points);
    }

    [[nodiscard]] Verdict answered(const Reading &reading, const http::Response &response) override
    {
        if (reading.answer != Answer::done)
            return trouble(reading);
        if (clearing_) {
            intent_.former.pop_back();
        } else if (intent_.removes()) {
            intent_.there = There::no;
        } else {
            const auto cid = member(parse(response), "cid");
            intent_.there = There::yes;
            intent_.confirmed = cid.empty() ? intent_.cid : cid;
        }
        if (intent_.former.empty())
            return delivered();
        Verdict verdict;
        verdict.follow_up = clear();
        return verdict;
    }

    Intent &intent_;
    bool clearing_ = false;
};

template <typename Kind> Planned begin(std::shared_ptr<Kind> talk, std::vector<std::size_t> changes)
{
    auto request = talk->open();
    return {std::move(request), std::move(changes), std::move(talk)};
}

} // namespace

Planned plan_batch(Context &context, std::vector<std::size_t> changes)
{
    auto talk = std::make_shared<Batched>(context, changes);
    return begin(std::move(talk), std::move(changes));
}

Planned plan_single(Context &context, std::size_t change) { return begin(std::make_shared<Single>(context, change), {change}); }

} // namespace autosync::targets::atproto
