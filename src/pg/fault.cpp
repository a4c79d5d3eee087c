#include "pg/fault.hpp"

#ifdef AUTOSYNC_FAULTS

#include <csignal>
#include <fcntl.h>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "pg/bridge.hpp"

namespace autosync::pg {

namespace {

char *asked = nullptr;

enum class Action : std::uint8_t { error, exit, segv, sleep };

struct Fault {
    std::string place;
    Action action = Action::error;
    long most = std::numeric_limits<long>::max();
    double probability = 1;
};

Action action_of(const std::string &name)
{
    return name == "exit" ? Action::exit : name == "segv" ? Action::segv : name == "sleep" ? Action::sleep : Action::error;
}

std::vector<Fault> faults()
{
    std::vector<Fault> found;
    std::istringstream list{asked};
    for (std::string one; std::getline(list >> std::ws, one, ',');) {
        std::istringstream parts{one};
        Fault fault;
        std::string part;
        (void)std::getline(parts, fault.place, ':');
        if (std::getline(parts, part, ':'))
            fault.action = action_of(part);
        if (std::getline(parts, part, ':'))
            fault.most = std::stol(part);
        if (std::getline(parts, part, ':'))
            fault.probability = std::stod(part);
        found.push_back(fault);
    }
    return found;
}

/// One more, unless there were enough; processes take turns.
bool take(const Fault &fault)
{
    (void)mkdir("autosync_faults", S_IRWXU);
    const int file = open(("autosync_faults/" + fault.place).c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0)
        return false;
    struct stat is {};
    const bool left = flock(file, LOCK_EX) == 0 && fstat(file, &is) == 0 && is.st_size < fault.most && write(file, ".", 1) == 1;
    (void)close(file);
    return left;
}

void act(Action action, const char *place)
{
    call([action, place] {
        switch (action) {
        case Action::error:
            ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("fault at \"%s\", as a test has asked for", place)));
            break;
        case Action::exit:
            ereport(FATAL, (errcode(ERRCODE_ADMIN_SHUTDOWN), errmsg("fault at \"%s\", as a test has asked for", place)));
            break;
        case Action::segv:
            (void)signal(SIGSEGV, SIG_DFL); // a sanitizer would tell of it as if it had found something
            (void)kill(getpid(), SIGSEGV);
            break;
        case Action::sleep: {
            constexpr int naps = 20;
            constexpr long nap = 50'000;
            for (int i = 0; i < naps; ++i) {
                pg_usleep(nap);
                CHECK_FOR_INTERRUPTS();
            }
            break;
        }
        }
    });
}

} // namespace

void define_faults()
{
    call([] {
        DefineCustomStringVariable("autosync.faults", "Places that fail on purpose, for tests.", nullptr, &asked, "", PGC_SUSET, 0, nullptr, nullptr,
                                   nullptr);
    });
}

void fault(const char *place)
{
    if (asked == nullptr || *asked == '\0')
        return;
    static std::minstd_rand random{static_cast<std::minstd_rand::result_type>(GetCurrentTimestamp() ^ getpid())};
    for (const Fault &fault : faults()) {
        if (fault.place == place && std::uniform_real_distribution<>{}(random) < fault.probability && take(fault))
            act(fault.action, place);
    }
}

} // namespace autosync::pg

#endif
