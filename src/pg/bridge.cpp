#include "pg/bridge.hpp"

namespace autosync::pg {

ErrorData *Error::handover() const noexcept
{
    MemoryContextSetParent(GetMemoryChunkContext(report_.get()), ErrorContext);
    report_->assoc_context = nullptr;
    return report_.get();
}

void Error::discard(ErrorData *report) noexcept
{
    if (report->assoc_context != nullptr) // else it has been handed over
        MemoryContextDelete(GetMemoryChunkContext(report));
}

namespace {

/// Puts PostgreSQL's error stack back when a C++ exception, not a longjmp, leaves the frame that installed a handler.
struct ErrorStack {
    sigjmp_buf *exceptions = PG_exception_stack;
    ErrorContextCallback *contexts = error_context_stack;
    void restore() const noexcept
    {
        PG_exception_stack = exceptions;
        error_context_stack = contexts;
    }
};

} // namespace

ErrorData *detail::trap(void (*body)(void *), void *closure)
{
    MemoryContext const home = CurrentMemoryContext;
    const ErrorStack stack;
    ErrorData *volatile report = nullptr; // set after a longjmp has come back here
    sigjmp_buf here;

    if (sigsetjmp(here, 0) == 0) {
        PG_exception_stack = &here;
        try {
            body(closure);
        } catch (...) {
            stack.restore();
            throw;
        }
    } else {
        stack.restore();
        // The report must outlive the transaction, whose contexts an abort is about to free.
        MemoryContextSwitchTo(AllocSetContextCreate(TopMemoryContext, "autosync error", ALLOCSET_SMALL_SIZES));
        report = CopyErrorData();
        FlushErrorState();
        MemoryContextSwitchTo(home);
    }
    stack.restore();
    return report;
}

void detail::describe(Raised &raised, const Failure &failure) noexcept
{
    raised.sqlstate = failure.sqlstate();
    raised.hide_statement = failure.hide_statement();
    strlcpy(raised.message, failure.what(), sizeof(raised.message));
    strlcpy(raised.detail, failure.detail().c_str(), sizeof(raised.detail));
    strlcpy(raised.hint, failure.hint().c_str(), sizeof(raised.hint));
}

void detail::raise(ErrorData *report, const Raised &raised)
{
    if (report != nullptr)
        ReThrowError(report);
    const char *const message = raised.message[0] == '\0' ? "unknown C++ exception" : raised.message;
    ereport(ERROR, errcode(raised.sqlstate), errmsg("%s", message), raised.detail[0] == '\0' ? 0 : errdetail("%s", raised.detail),
            raised.hint[0] == '\0' ? 0 : errhint("%s", raised.hint), errhidestmt(raised.hide_statement));
}

void fail(int sqlstate, const char *message) { ereport(ERROR, errcode(sqlstate), errmsg("%s", message)); }

void fail_spi(const char *doing, int code) { elog(ERROR, "%s failed: %s", doing, SPI_result_code_string(code)); }

void connect_spi()
{
    if (const int code = SPI_connect(); code != SPI_OK_CONNECT)
        fail_spi("SPI_connect", code);
}

void report(int level, int sqlstate, const std::string &message, const std::string &detail, const std::string &hint)
{
    const char *const text = message.c_str();
    const char *const more = detail.c_str();
    const char *const help = hint.c_str();
    call([=] {
        ereport(level, errcode(sqlstate), errmsg("%s", text), *more == '\0' ? 0 : errdetail("%s", more), *help == '\0' ? 0 : errhint("%s", help));
    });
}

} // namespace autosync::pg
