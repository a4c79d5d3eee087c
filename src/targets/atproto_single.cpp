// One record: its blobs first, then the record itself, then where it was before is cleared.
#include <algorithm>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "targets/atproto_dialogue.hpp"
#include "targets/atproto_talk.hpp"

namespace autosync::targets::atproto {
namespace {

using autosync::atproto::Blob;

class Single final : public Talk {
public:
    Single(Context &context, std::size_t change) : Talk{context}, intent_{context.intents[change]} {}

    [[nodiscard]] http::Request open() override { return intent_.at.empty() ? clear() : upload(); }

private:
    enum class Step : unsigned char { upload, look, write, clear };

    [[nodiscard]] const std::string &pds() { return context_.session(intent_.at.did).pds; }

    /// The next blob that the repository does not have; when it has all, the record.
    [[nodiscard]] http::Request upload()
    {
        const auto next = std::ranges::find(intent_.blobs, false, &Blob::there);
        if (intent_.removes() || next == intent_.blobs.end())
            return intent_.yields && intent_.there == There::unknown ? look() : write();
        step_ = Step::upload;
        blob_ = &*next;
        return say(intent_.at.did, upload_blob(pds(), *blob_), 0);
    }

    [[nodiscard]] http::Request look()
    {
        step_ = Step::look;
        return say(intent_.at.did, get_record(pds(), intent_.at), 0);
    }

    /// A record that yields is written on top of what is ours, or of nothing.
    [[nodiscard]] http::Request write()
    {
        step_ = Step::write;
        const auto own = intent_.points() - static_cast<unsigned>(intent_.former.size()) * autosync::atproto::delete_points;
        Swap swap;
        if (intent_.yields)
            swap = actual_ ? *actual_ : intent_.there == There::yes && !intent_.ours.empty() ? intent_.ours.front() : std::string{};
        return say(intent_.at.did, intent_.removes() ? delete_record(pds(), intent_.at, swap) : put_record(pds(), intent_.at, intent_.record, swap), own);
    }

    /// The next of the places where it was before.
    [[nodiscard]] http::Request clear()
    {
        step_ = Step::clear;
        const auto &at = intent_.former.back();
        return say(at.did, delete_record(context_.session(at.did).pds, at), autosync::atproto::delete_points);
    }

    [[nodiscard]] Verdict go_on() { return intent_.former.empty() ? delivered() : asking(clear()); }

    [[nodiscard]] Verdict answered(const Reading &reading, const http::Response &response) override
    {
        switch (step_) {
        case Step::upload:
            return uploaded(reading, response);
        case Step::look:
            return looked(reading, response);
        case Step::write:
            return written(reading, response);
        case Step::clear:
            break;
        }
        if (reading.answer != Answer::done)
            return trouble(reading);
        intent_.former.pop_back();
        return go_on();
    }

    [[nodiscard]] Verdict uploaded(const Reading &reading, const http::Response &response)
    {
        if (reading.answer != Answer::done) {
            auto verdict = trouble(reading);
            verdict.message = "field \"" + blob_->field + "\": " + verdict.message;
            return verdict;
        }
        const auto body = parse_body(response);
        const auto given = body.is_object() && body.contains("blob") ? member(body["blob"], "mimeType") : std::string{};
        if (!given.empty() && given != blob_->type) { // a record has to say what the server believes
            blob_->type = given;
            try {
                autosync::atproto::retype_blob(intent_, *blob_);
            } catch (const std::invalid_argument &error) { // such as a type that makes the record too long
                Verdict verdict;
                verdict.outcome = Outcome::refused;
                verdict.message = "the server takes field \"" + blob_->field + "\" for something that the record cannot say: " + error.what();
                return verdict;
            }
        }
        blob_->there = true;
        return asking(upload());
    }

    [[nodiscard]] Verdict looked(const Reading &reading, const http::Response &response)
    {
        if (reading.answer != Answer::done && reading.answer != Answer::missing)
            return trouble(reading);
        actual_ = reading.answer == Answer::done ? member(parse_body(response), "cid") : std::string{};
        intent_.there = actual_->empty() ? There::no : There::yes;
        intent_.confirmed = *actual_;
        if (actual_->empty() ? intent_.removes() : *actual_ == intent_.cid)
            return go_on();
        if (actual_->empty() ? intent_.existed : !intent_.is_ours(*actual_)) {
            intent_.kept = true;
            return go_on();
        }
        return asking(write());
    }

    [[nodiscard]] Verdict written(const Reading &reading, const http::Response &response)
    {
        constexpr unsigned most = 3;
        if (reading.answer == Answer::swapped && intent_.yields) {
            if (++swapped_ < most)
                return asking(look());
            auto verdict = trouble(reading);
            verdict.outcome = Outcome::deferred; // somebody writes it all the time
            return verdict;
        }
        if ((reading.error == "BlobNotFound" || reading.error == "InvalidMimeType") && !intent_.blobs.empty() && !uploaded_again_) {
            uploaded_again_ = true; // it was there once, and is gone with the record that it belonged to
            for (auto &blob : intent_.blobs)
                blob.there = false;
            return asking(upload());
        }
        if (reading.answer != Answer::done)
            return trouble(reading);
        if (intent_.removes()) {
            intent_.there = There::no;
        } else {
            const auto cid = member(parse_body(response), "cid");
            intent_.there = There::yes;
            intent_.confirmed = cid.empty() ? intent_.cid : cid;
        }
        return go_on();
    }

    Intent &intent_;
    Step step_ = Step::write;
    Blob *blob_ = nullptr;              ///< that is being uploaded
    std::optional<std::string> actual_; ///< the CID that was found; empty: no record was
    unsigned swapped_ = 0;
    bool uploaded_again_ = false;
};

} // namespace

Planned plan_single(Context &context, std::size_t change) { return begin(std::make_shared<Single>(context, change), {change}); }

} // namespace autosync::targets::atproto
