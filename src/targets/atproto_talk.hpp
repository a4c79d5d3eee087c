// What conversations with a repository have in common: how answers become verdicts, how requests get their credentials, how a nonce is taken up.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "targets/atproto_request.hpp"

namespace autosync::targets::atproto {

using autosync::atproto::Answer;
using autosync::atproto::Reading;

/// The body of an answer, within limits; not an object when it is none.
[[nodiscard]] nlohmann::json parse_body(const http::Response &response);
/// A text member of an object; empty: there is none.
[[nodiscard]] std::string member(const nlohmann::json &object, const char *name);

class Talk : public Dialogue {
public:
    explicit Talk(Context &context) : context_{context} {}

    [[nodiscard]] Verdict hear(const http::Response &response) final;
    /// The first request.
    [[nodiscard]] virtual http::Request open() = 0;

protected:
    [[nodiscard]] virtual Verdict answered(const Reading &reading, const http::Response &response) = 0;

    /// What is sent next, on behalf of this identity.
    [[nodiscard]] Verdict ask(const std::string &did, http::Request request, unsigned points);
    [[nodiscard]] http::Request say(const std::string &did, http::Request request, unsigned points);
    [[nodiscard]] static Verdict asking(http::Request request);
    [[nodiscard]] static Verdict delivered();
    [[nodiscard]] Verdict trouble(const Reading &reading) const;

    Context &context_; // NOLINT(cppcoreguidelines-non-private-member-variables-in-classes)

private:
    std::string did_;
    unsigned points_ = 0;
    http::Request asked_;
    bool repeated_ = false;
};

template <typename Kind> Planned begin(std::shared_ptr<Kind> talk, std::vector<std::size_t> changes)
{
    auto request = talk->open();
    return {std::move(request), std::move(changes), std::move(talk)};
}

} // namespace autosync::targets::atproto
