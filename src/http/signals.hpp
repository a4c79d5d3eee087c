// Keeps a process's signals on its own thread while a library may start others.
#pragma once

#include <csignal>

namespace autosync::http {

/// Blocks signals for a scope: a thread that libcurl starts (its resolver) inherits the mask, so handlers that are not
/// made for it, PostgreSQL's for example, never run there. Faults stay deliverable.
class SignalGuard final {
public:
    SignalGuard() noexcept
    {
        sigset_t blocked;
        sigfillset(&blocked);
        for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP})
            sigdelset(&blocked, fault);
        pthread_sigmask(SIG_BLOCK, &blocked, &before_);
    }
    ~SignalGuard() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalGuard(const SignalGuard &) = delete;
    SignalGuard &operator=(const SignalGuard &) = delete;

private:
    sigset_t before_{};
};

} // namespace autosync::http
