// A worker: delivers for one database. Its life is one loop; what is due there is the engine's business.
#include <algorithm>
#include <chrono>
#include <exception>
#include <string>

#include "config/settings.hpp"
#include "worker/catalog.hpp"
#include "worker/ddl.hpp"
#include "worker/engine.hpp"
#include "worker/process.hpp"
#include "worker/session.hpp"
#include "worker/slots.hpp"
#include "worker/tenure.hpp"
#include "worker/worker.hpp"

#include "pg/fault.hpp"
#include "pg/spi.hpp"

extern "C" PGDLLEXPORT void autosync_worker_main(Datum argument);

namespace autosync::worker {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds in_flight_nap{200}; ///< other backends may wait for us to serve an interrupt

/// The latch, the engine's descriptor and the death of the server, registered once.
class Waiting final {
public:
    explicit Waiting(int descriptor)
    {
        set_ = pg::call([descriptor] {
#if PG_VERSION_NUM >= 170000
            WaitEventSet *const set = CreateWaitEventSet(nullptr, 3);
#else
            WaitEventSet *const set = CreateWaitEventSet(TopMemoryContext, 3);
#endif
            AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
            AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
            if (descriptor >= 0)
                AddWaitEventToSet(set, WL_SOCKET_READABLE, descriptor, nullptr, nullptr);
            return set;
        });
    }
    ~Waiting() { FreeWaitEventSet(set_); }
    Waiting(const Waiting &) = delete;
    Waiting &operator=(const Waiting &) = delete;

    void wait(milliseconds most) const
    {
        auto *const set = set_;
        const auto timeout = static_cast<long>(most.count());
        pg::call([set, timeout] {
            WaitEvent happened;
            (void)WaitEventSetWait(set, timeout, &happened, 1, PG_WAIT_EXTENSION);
        });
    }

private:
    WaitEventSet *set_ = nullptr;
};

/// The extension of this database, looked up no more often than it can matter.
class Extension final {
public:
    [[nodiscard]] Oid oid() const noexcept { return oid_; }
    /// Looks again when somebody woke us, or after a while: whether it is still there, and still the same.
    [[nodiscard]] bool stands(bool woken)
    {
        const auto now = std::chrono::steady_clock::now();
        if (!woken && now - looked_ < pause)
            return true;
        looked_ = now;
        return extension() == oid_;
    }

private:
    static constexpr milliseconds pause{200};
    Oid oid_ = extension();
    std::chrono::steady_clock::time_point looked_ = std::chrono::steady_clock::now();
};

/// Serves until the extension is no longer the one it was (false), or the worker is to leave (true).
bool serve(Tenure &tenure, const Extension &installed)
{
    Extension extension = installed;
    Engine engine;
    AUTOSYNC_FAULT("at_start");
    const Waiting waiting{engine.descriptor()};
    MemoryContext const scratch = pg::call([] { return AllocSetContextCreate(TopMemoryContext, "autosync turn", ALLOCSET_DEFAULT_SIZES); });
    while (!tenure.revoked()) {
        if (serve_interrupts()) // targets are declared against the settings
            Catalog::invalidate();
        const bool woken = tenure.asked();
        if (!extension.stands(woken))
            return false;
        MemoryContextSwitchTo(scratch);
        milliseconds patience = engine.turn(woken);
        MemoryContextSwitchTo(TopMemoryContext);
        pg::call([scratch] { MemoryContextReset(scratch); });

        const bool idle = engine.idle();
        if (tenure.give_way(idle))
            return true;
        if (patience <= milliseconds::zero())
            continue;
        if (idle)
            activity("", "");
        patience = std::min({patience, idle ? milliseconds{config::settings.poll_interval} : in_flight_nap, tenure.patience(), report_statistics()});
        waiting.wait(patience);
    }
    return true;
}

/// An error whose reason is that the extension has been dropped under it.
bool extension_is_gone()
{
    try {
        pg::call([] { AbortOutOfAnyTransaction(); });
        return extension() == InvalidOid;
    } catch (const std::exception &) {
        return false; // the error that led here is the one to tell
    }
}

/// Errors that pass by themselves are worth a word only when they do not.
class Patience final {
public:
    /// Waits a little after an error of which more patience is hoped for; false: it is none of that kind.
    [[nodiscard]] bool holds(const std::exception &reason, const std::string &name)
    {
        const auto *const error = dynamic_cast<const pg::Error *>(&reason);
        if (error == nullptr || !passes(*error))
            return false;
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ > calm) {
            began_ = now;
            told_ = false;
        }
        last_ = now;
        if (now - began_ > quiet && !told_) {
            pg::report(LOG, error->sqlstate(), "autosync worker of database \"" + name + "\" waits: " + reason.what());
            told_ = true;
        }
        pg::call([] {
            (void)WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, static_cast<long>(nap.count()), PG_WAIT_EXTENSION);
        });
        return true;
    }

private:
    static constexpr milliseconds nap{100};
    static constexpr milliseconds calm{2'000};
    static constexpr milliseconds quiet{10'000};
    std::chrono::steady_clock::time_point began_;
    std::chrono::steady_clock::time_point last_;
    bool told_ = false;
};

/// The life of the process once it is connected; its exit code.
int live(Tenure &tenure, const std::string &name)
{
    Patience patience;
    while (!tenure.revoked()) {
        try {
            serve_interrupts();
            (void)tenure.asked();
            const Extension installed;
            tenure.report_extension(installed.oid() != InvalidOid);
            if (installed.oid() != InvalidOid ? serve(tenure, installed) : tenure.retire())
                return 0;
        } catch (const std::exception &reason) {
            if (!extension_is_gone() && !patience.holds(reason, name)) {
                give_up(("autosync worker of database \"" + name + "\"").c_str(), reason);
                return 1;
            }
        }
    }
    return 0;
}

int work(Oid database)
{
    static Tenure tenure; // the callback at exit looks at it
    accept_signals();
    if (!tenure.begin(database))
        return 0;
    return live(tenure, connect(database));
}

} // namespace

} // namespace autosync::worker

void autosync_worker_main(Datum argument)
{
    using namespace autosync;
    const int code = pg::guard([argument] { return worker::work(DatumGetObjectId(argument)); });
    proc_exit(code);
}
