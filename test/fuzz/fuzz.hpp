// A parser of foreign input and what has to hold whatever it is given. Every target is run by libFuzzer (make fuzz), and over the corpus that
// is kept by the unit tests.
#pragma once

#include <cstdint>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "config/options.hpp"
#include "http/message.hpp"

namespace autosync::fuzz {

struct Target {
    std::string_view name;
    void (*run)(std::string_view input);
};

[[nodiscard]] inline std::vector<Target> &targets()
{
    static std::vector<Target> all;
    return all;
}

/// What an input makes not hold. Not among the exceptions that parsers throw.
struct Broken {
    std::string what;
};

inline void holds(bool it, const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    if (!it)
        throw Broken{std::string{file} + ":" + std::to_string(line)};
}

/// Runs what may refuse its input, with the exception that it refuses it with. False: it did.
template <class Refusal = std::invalid_argument, class Parser> bool accepts(const Parser &parser)
{
    try {
        parser();
        return true;
    } catch (const Refusal &) {
        return false;
    }
}

/// An input taken apart: numbers of one byte, texts that end with a byte that no UTF-8 has.
class Input final {
public:
    explicit Input(std::string_view bytes) : rest_{bytes} {}

    [[nodiscard]] bool empty() const { return rest_.empty(); }
    [[nodiscard]] unsigned number()
    {
        if (rest_.empty())
            return 0;
        const auto byte = static_cast<unsigned char>(rest_.front());
        rest_.remove_prefix(1);
        return byte;
    }
    [[nodiscard]] bool flag() { return (number() & 1U) != 0; }
    [[nodiscard]] std::string text()
    {
        const auto end = rest_.find('\xff');
        std::string out{rest_.substr(0, end)};
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
        return out;
    }
    [[nodiscard]] std::string_view rest() const { return rest_; }

private:
    std::string_view rest_;
};

/// A kind of target and a level for options: one of them for each input, for all of them at once would take too long.
[[nodiscard]] inline std::string_view kind(unsigned number)
{
    constexpr std::string_view kinds[]{"neo4j", "qdrant", "atproto", "openai", "test"};
    return kinds[number % std::size(kinds)];
}
[[nodiscard]] inline config::Level level(unsigned number) { return static_cast<config::Level>(number % 3); }

/// An answer of which the input is: how it ended, then its body.
[[nodiscard]] inline http::Response answer(Input &input, std::string_view body)
{
    constexpr long statuses[]{200, 200, 200, 201, 202, 204, 301, 400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504};
    http::Response response;
    const auto how = input.number();
    if (how >= 250)
        response.failure = static_cast<http::Response::Failure>(how - 250);
    if (how == 255)
        response.failure = http::Response::Failure::none;
    response.status = statuses[how % std::size(statuses)];
    if (response.failure != http::Response::Failure::none)
        response.error = body;
    else
        response.body = body.empty() ? std::string{input.rest()} : std::string{body};
    return response;
}
[[nodiscard]] inline http::Response answer(Input &input) { return answer(input, {}); }

} // namespace autosync::fuzz

#define FUZZ(target)                                                                                                                                 \
    static void target(std::string_view bytes);                                                                                                      \
    [[maybe_unused]] static const bool registered_##target = (::autosync::fuzz::targets().push_back({#target, target}), true);                       \
    static void target(std::string_view bytes)
