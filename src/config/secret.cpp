#include "config/secret.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace autosync::config {

namespace {

constexpr std::size_t most_bytes = 16'384;

class Descriptor final {
public:
    explicit Descriptor(int number) : number_{number} {}
    ~Descriptor()
    {
        if (number_ >= 0)
            ::close(number_);
    }
    Descriptor(const Descriptor &) = delete;
    Descriptor &operator=(const Descriptor &) = delete;
    [[nodiscard]] int get() const { return number_; }
    void reset(int number)
    {
        if (number_ >= 0)
            ::close(number_);
        number_ = number;
    }

private:
    int number_;
};

std::string reason(int error) { return std::generic_category().message(error); }

/// Opens `path` below the open folder, one step after the other: no step may be a link or lead upwards. -1 and errno on failure.
int open_below(Descriptor &folder, std::string_view path)
{
    while (true) {
        const auto slash = path.find('/');
        const std::string step{path.substr(0, slash)};
        if (step.empty() || step == "." || step == "..") {
            errno = EINVAL;
            return -1;
        }
        if (slash == std::string_view::npos)
            return ::openat(folder.get(), step.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        const int next = ::openat(folder.get(), step.c_str(), O_RDONLY | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
        if (next < 0)
            return -1;
        folder.reset(next);
        path.remove_prefix(slash + 1);
    }
}

Secret failed(const std::string &path, const std::string &why) { return {{}, "secret file \"" + path + "\" " + why}; }

} // namespace

Secret read_secret(const std::string &directory, const std::string &path, bool trusted)
{
    const bool absolute = path.starts_with('/');
    if (directory.empty() && !trusted)
        return failed(path, "cannot be used: autosync.secrets_directory is not set, and only a server owned by a superuser may name files elsewhere");
    if (directory.empty() && !absolute)
        return failed(path, "must be an absolute path, because autosync.secrets_directory is not set");
    if (!directory.empty() && absolute)
        return failed(path, "must be a path relative to autosync.secrets_directory");

    Descriptor folder{::open(absolute ? "/" : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (folder.get() < 0)
        return failed(path, "cannot be opened: autosync.secrets_directory: " + reason(errno));
    const Descriptor file{open_below(folder, absolute ? std::string_view{path}.substr(1) : std::string_view{path})};
    if (file.get() < 0)
        return failed(path, errno == EINVAL  ? "cannot be opened: a path without empty, '.' or '..' steps is expected"
                            : errno == ELOOP ? "cannot be opened: symbolic links are not followed"
                                             : "cannot be opened: " + reason(errno));
    struct stat about {};
    if (::fstat(file.get(), &about) != 0)
        return failed(path, "cannot be examined: " + reason(errno));
    if (!S_ISREG(about.st_mode))
        return failed(path, "is not a regular file");
    if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return failed(path, "may be read by others: its permissions must be u=rw (0600) or less");
    if (about.st_size > static_cast<off_t>(most_bytes))
        return failed(path, "is too long");

    Secret secret;
    std::array<char, 4'096> block{};
    while (true) {
        const auto got = ::read(file.get(), block.data(), block.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failed(path, "cannot be read: " + reason(errno));
        if (got == 0)
            break;
        secret.value.append(block.data(), static_cast<std::size_t>(got));
        if (secret.value.size() > most_bytes)
            return failed(path, "is too long");
    }
    if (secret.value.ends_with('\n'))
        secret.value.pop_back();
    if (secret.value.ends_with('\r'))
        secret.value.pop_back();
    if (secret.value.empty())
        return failed(path, "is empty");
    for (const char letter : secret.value)
        if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F)
            return failed(path, "contains control characters");
    return secret;
}

} // namespace autosync::config
