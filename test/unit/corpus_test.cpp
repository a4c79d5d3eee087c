// What fuzzing has found worth keeping, run again.
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "../fuzz/fuzz.hpp"

namespace autosync::fuzz {
namespace {

std::string content(const std::filesystem::path &file)
{
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

TEST(Corpus, HoldsForEveryParserOfForeignInput)
{
    ASSERT_GE(targets().size(), 20U);
    for (const auto &target : targets()) {
        std::size_t inputs = 0;
        for (const auto &file : std::filesystem::directory_iterator{std::filesystem::path{AUTOSYNC_CORPUS} / target.name}) {
            ++inputs;
            try {
                target.run(content(file.path()));
            } catch (const Broken &broken) {
                ADD_FAILURE() << file.path() << ": " << broken.what;
            }
        }
        EXPECT_GT(inputs, 0U) << target.name;
    }
}

/// What is small on the wire and large in memory, or deep: nothing falls over it, and nothing takes long.
TEST(Corpus, HoldsForBombs)
{
    constexpr std::size_t many = 250'000;
    const auto repeated = [](std::string_view piece) {
        std::string out;
        while (out.size() < many)
            out += piece;
        return out;
    };
    const std::vector<std::string> bombs{
        std::string(many, '['), repeated(R"({"a":)"), R"({"result":)" + std::string(many, '['), R"({"results":[{"data":[{"row":)" + std::string(many, '['),
        R"({"data":[{"embedding":)" + std::string(many, '['), "[1" + std::string(many, '0') + "]", "{\"exp\":1e" + std::string(many, '9') + "}",
        repeated(R"({"errors":[{"code":"Neo.",)"), '"' + repeated("\\u0000") + '"', repeated("a,"), repeated("a.b[0]"), std::string(many, '1')};
    for (const auto &target : targets()) {
        for (const auto &bomb : bombs) {
            for (const std::string_view head : {std::string_view{""}, std::string_view{"\0\0", 2}}) {
                const std::clock_t start = std::clock(); // of this process: what else the machine does is not counted
                try {
                    target.run(std::string{head} + bomb);
                } catch (const Broken &broken) {
                    ADD_FAILURE() << target.name << ": " << broken.what << ": " << bomb.substr(0, 40);
                }
                EXPECT_LT((std::clock() - start) / CLOCKS_PER_SEC, 5) << target.name << ": " << bomb.substr(0, 40);
            }
        }
    }
}

} // namespace
} // namespace autosync::fuzz
