#include "config/secret.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace {

using autosync::config::read_secret;
namespace fs = std::filesystem;

class Secrets : public testing::Test {
protected:
    void SetUp() override
    {
        std::string name = (fs::temp_directory_path() / "secrets-XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder_ = name;
    }
    void TearDown() override { fs::remove_all(folder_); }

    void write(const std::string &name, const std::string &content, fs::perms permissions = fs::perms::owner_read | fs::perms::owner_write) const
    {
        fs::create_directories((folder_ / name).parent_path());
        std::ofstream{folder_ / name} << content;
        fs::permissions(folder_ / name, permissions);
    }
    [[nodiscard]] std::string value(const std::string &path) const { return read_secret(folder_.string(), path, false).value; }
    [[nodiscard]] std::string problem(const std::string &path) const { return read_secret(folder_.string(), path, false).problem; }

    fs::path folder_;
};

TEST_F(Secrets, OneLineBreakAtTheEndIsNotPartOfIt)
{
    write("a", "s3cret\n");
    write("below/b", "s3cret");
    EXPECT_EQ(value("a"), "s3cret");
    EXPECT_EQ(value("below/b"), "s3cret");
    EXPECT_EQ(problem("a"), "");
}

TEST_F(Secrets, NothingOutsideTheFolderIsRead)
{
    write("in/a", "s3cret");
    fs::create_symlink("/etc/passwd", folder_ / "link");
    fs::create_directory_symlink("/etc", folder_ / "etc");
    EXPECT_NE(problem("../" + folder_.filename().string() + "/in/a"), "");
    EXPECT_NE(problem("in/../in/a"), "");
    EXPECT_NE(problem("in//a"), "");
    EXPECT_NE(problem("/etc/passwd"), "");
    EXPECT_NE(problem("link"), "");
    EXPECT_NE(problem("etc/passwd"), "");
    EXPECT_NE(problem(""), "");
    EXPECT_NE(problem("in"), "");
    EXPECT_NE(problem("missing"), "");
}

TEST_F(Secrets, OnlyAFileOfItsOwnersEyesIsRead)
{
    write("open", "s3cret", fs::perms::owner_read | fs::perms::group_read);
    EXPECT_EQ(problem("open"), "secret file \"open\" may be read by others: its permissions must be u=rw (0600) or less");
    EXPECT_EQ(value("open"), "");
}

TEST_F(Secrets, ContentThatCannotBeOneIsRefusedAndNotShown)
{
    write("long", std::string(100'000, 'x'));
    write("lines", "s3cret\nX-Header: y\n");
    write("empty", "\n");
    for (const auto *const name : {"long", "lines", "empty"}) {
        EXPECT_EQ(value(name).size() * problem(name).empty(), 0U) << name;
        EXPECT_EQ(problem(name).find("s3cret"), std::string::npos) << name;
        EXPECT_NE(problem(name), "") << name;
    }
}

TEST_F(Secrets, WithoutAFolderOnlyASuperusersServerNamesFiles)
{
    write("a", "s3cret");
    const auto path = (folder_ / "a").string();
    EXPECT_EQ(read_secret("", path, true).value, "s3cret");
    EXPECT_NE(read_secret("", path, false).problem, "");
    EXPECT_NE(read_secret("", "a", true).problem, "");
}

} // namespace
