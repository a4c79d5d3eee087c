#include "worker/process.hpp"

#include <csignal>
#include <string>

#include "pg/bridge.hpp"

namespace autosync::worker {

namespace {

volatile std::sig_atomic_t termination = 0;

void on_terminate(int signal)
{
    termination = 1;
    die(signal);
}

} // namespace

BackgroundWorker background_worker(const char *name, const char *entry, int restart_seconds)
{
    BackgroundWorker worker{};
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished; // a standby does not deliver; a promoted one begins to
    worker.bgw_restart_time = restart_seconds;
    strlcpy(worker.bgw_name, name, sizeof(worker.bgw_name));
    strlcpy(worker.bgw_type, name, sizeof(worker.bgw_type));
    strlcpy(worker.bgw_library_name, "autosync", sizeof(worker.bgw_library_name));
    strlcpy(worker.bgw_function_name, entry, sizeof(worker.bgw_function_name));
    return worker;
}

void accept_signals()
{
    pqsignal(SIGTERM, on_terminate);
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    BackgroundWorkerUnblockSignals();
}

bool terminated() noexcept { return termination != 0; }

bool serve_interrupts()
{
    ResetLatch(MyLatch);
    return pg::call([] {
        CHECK_FOR_INTERRUPTS();
        if (catchupInterruptPending) // an idle process must not hold up the queue of invalidations
            ProcessCatchupInterrupt();
        if (ConfigReloadPending) {
            ConfigReloadPending = 0;
            ProcessConfigFile(PGC_SIGHUP);
            return true;
        }
        return false;
    });
}

void give_up(const char *who, const std::exception &reason)
{
    int sqlstate = ERRCODE_INTERNAL_ERROR;
    std::string detail;
    std::string hint;
    if (const auto *const error = dynamic_cast<const pg::Error *>(&reason)) {
        sqlstate = error->sqlstate();
        detail = error->detail() == nullptr ? "" : error->detail();
        hint = error->hint() == nullptr ? "" : error->hint();
    } else if (const auto *const failure = dynamic_cast<const pg::Failure *>(&reason)) {
        sqlstate = failure->sqlstate();
        detail = failure->detail();
        hint = failure->hint();
    }
    pg::call([] { AbortOutOfAnyTransaction(); });
    pg::report(LOG, sqlstate, std::string{who} + " gives up: " + reason.what(), detail, hint);
}

} // namespace autosync::worker
