// The two crossings between C++ exceptions and PostgreSQL's longjmp. Nothing outside src/pg/
// may call sigsetjmp, PG_TRY or ereport(ERROR).
#pragma once

#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "pg/postgres.hpp"

namespace autosync::pg {

/// A PostgreSQL ERROR on its way through C++: SQLSTATE, message, detail, hint and context all survive.
/// It may be swallowed only after the (sub)transaction in which it arose was aborted.
class Error final : public std::exception {
public:
    explicit Error(ErrorData *report) : report_{report, discard} {}
    const char *what() const noexcept override { return report_->message; }
    int sqlstate() const noexcept { return report_->sqlerrcode; }
    const char *detail() const noexcept { return report_->detail == nullptr ? "" : report_->detail; }
    const char *hint() const noexcept { return report_->hint == nullptr ? "" : report_->hint; }
    void hide_statement() const noexcept { report_->hide_stmt = true; } ///< the statement carries a secret
    ErrorData *handover() const noexcept; ///< gives the report away: it is freed when PostgreSQL has dealt with the error

private:
    static void discard(ErrorData *report) noexcept;
    std::shared_ptr<ErrorData> report_; // in a memory context of its own, below TopMemoryContext
};

/// An error of our own, raised as a PostgreSQL ERROR with these parts when it reaches pg::guard.
class Failure final : public std::runtime_error {
public:
    Failure(int sqlstate, const std::string &message, std::string detail = {}, std::string hint = {}, bool hide_statement = false)
        : std::runtime_error{message}, sqlstate_{sqlstate}, detail_{std::move(detail)}, hint_{std::move(hint)}, hide_statement_{hide_statement}
    {
    }
    int sqlstate() const noexcept { return sqlstate_; }
    const std::string &detail() const noexcept { return detail_; }
    const std::string &hint() const noexcept { return hint_; }
    bool hide_statement() const noexcept { return hide_statement_; } ///< the statement carries a secret

private:
    int sqlstate_;
    std::string detail_;
    std::string hint_;
    bool hide_statement_;
};

/// The parts of an error that is about to be raised, in plain memory that a longjmp may leave behind. Its texts are ended, not cleared:
/// every guarded call has one, and clearing 5 kB costs more than capturing a row.
struct Raised {
    Raised() noexcept { message[0] = detail[0] = hint[0] = '\0'; }
    int sqlstate = ERRCODE_EXTERNAL_ROUTINE_EXCEPTION;
    bool hide_statement = false;
    char message[1024];
    char detail[2048];
    char hint[2048];
};

namespace detail {
ErrorData *trap(void (*body)(void *), void *closure); ///< the ERROR that `body` raised, or null
void describe(Raised &raised, const Failure &failure) noexcept;
[[noreturn]] void raise(ErrorData *report, const Raised &raised);
} // namespace detail

/// C++ -> PostgreSQL: `body` may ereport(), so it may own nothing that needs a destructor.
template <typename Body>
auto call(Body body) -> std::invoke_result_t<Body>
{
    using Result = std::invoke_result_t<Body>;
    static_assert(std::is_trivially_destructible_v<Body>, "a longjmp would skip its destructor");
    if constexpr (std::is_void_v<Result>) {
        if (auto *report = detail::trap([](void *it) { (*static_cast<Body *>(it))(); }, &body))
            throw Error{report};
    } else {
        static_assert(std::is_trivially_copyable_v<Result>, "only plain C values cross back");
        Result result{};
        auto keep = [&] { result = body(); };
        call(keep);
        return result;
    }
}

/// PostgreSQL -> C++: every entry point runs inside; no exception leaves, no destructor is skipped.
template <typename Body>
auto guard(Body &&body) -> std::invoke_result_t<Body>
{
    ErrorData *report = nullptr;
    Raised raised;
    try {
        return body();
    } catch (const Error &error) {
        report = error.handover();
    } catch (const Failure &failure) {
        detail::describe(raised, failure);
    } catch (const std::bad_alloc &) {
        raised.sqlstate = ERRCODE_OUT_OF_MEMORY;
        strlcpy(raised.message, "out of memory", sizeof(raised.message));
    } catch (const std::invalid_argument &error) {
        raised.sqlstate = ERRCODE_INVALID_PARAMETER_VALUE;
        strlcpy(raised.message, error.what(), sizeof(raised.message));
    } catch (const std::exception &error) {
        strlcpy(raised.message, error.what(), sizeof(raised.message));
    } catch (...) {
    }
    detail::raise(report, raised); // handlers left, all C++ objects gone: may longjmp
}

/// Raises an ERROR from inside the body of call(), where no Failure may be thrown because PostgreSQL's own state must unwind.
[[noreturn]] void fail(int sqlstate, const char *message);
/// What a refusal of SPI is called: '<doing> failed: SPI_ERROR_…'. Inside the body of call().
[[noreturn]] void fail_spi(const char *doing, int code);
/// Connects to SPI, or raises. Inside the body of call().
void connect_spi();

/// Raises a WARNING, NOTICE, INFO or LOG with these parts (never ERROR: throw Failure for that).
void report(int level, int sqlstate, const std::string &message, const std::string &detail = {}, const std::string &hint = {});

/// Runs `body` in a subtransaction: released when it returns, rolled back (and rethrown) when it throws.
template <typename Body>
void subtransaction(Body &&body)
{
    const MemoryContext context = CurrentMemoryContext;
    const ResourceOwner owner = CurrentResourceOwner;
    call([] { BeginInternalSubTransaction(nullptr); });
    call([context] { MemoryContextSwitchTo(context); });
    try {
        body();
        call([context, owner] {
            ReleaseCurrentSubTransaction();
            MemoryContextSwitchTo(context);
            CurrentResourceOwner = owner;
        });
    } catch (...) {
        call([context, owner] {
            RollbackAndReleaseCurrentSubTransaction();
            MemoryContextSwitchTo(context);
            CurrentResourceOwner = owner;
        });
        throw;
    }
}

} // namespace autosync::pg

/// Opens the definition of an SQL-callable function; its body is guarded by construction.
#define AUTOSYNC_SQL(name)                                                                     \
    static Datum name##_body(FunctionCallInfo fcinfo);                                         \
    extern "C" {                                                                               \
    PGDLLEXPORT Datum name(FunctionCallInfo fcinfo);                                           \
    PG_FUNCTION_INFO_V1(name);                                                                 \
    Datum name(FunctionCallInfo fcinfo)                                                        \
    {                                                                                          \
        return autosync::pg::guard([fcinfo] { return name##_body(fcinfo); });                  \
    }                                                                                          \
    }                                                                                          \
    static Datum name##_body([[maybe_unused]] FunctionCallInfo fcinfo)
