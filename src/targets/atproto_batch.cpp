// Many records in one applyWrites.
#include <nlohmann/json.hpp>

#include "targets/atproto_dialogue.hpp"
#include "targets/atproto_talk.hpp"

namespace autosync::targets::atproto {
namespace {

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
            auto &each = intent(change);
            const bool there = each.there == There::yes;
            if (there && each.yields && !each.is_ours(each.confirmed)) { // somebody was here first
                each.kept = true;
                continue;
            }
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
        each.confirmed = reading.answer == Answer::done ? member(parse_body(response), "cid") : std::string{};
        unknown_.pop_back();
        if (!unknown_.empty())
            return asking(look());
        auto request = write();
        return written_.empty() ? delivered() : asking(std::move(request));
    }

    [[nodiscard]] Verdict applied(const Reading &reading, const http::Response &response)
    {
        if (reading.answer == Answer::broken && !looked_) { // perhaps we were wrong about what is there
            looked_ = true;
            unknown_ = changes_;
            return asking(look());
        }
        if (reading.answer != Answer::done)
            return trouble(reading);
        const auto body = parse_body(response);
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

} // namespace

Planned plan_batch(Context &context, std::vector<std::size_t> changes)
{
    auto talk = std::make_shared<Batched>(context, changes);
    return begin(std::move(talk), std::move(changes));
}

} // namespace autosync::targets::atproto
