// SQL functions that raise every kind of error through every kind of frame.
#include "probe.hpp"

#include <array>
#include <new>
#include <stdexcept>

#include "pg/spi.hpp"

extern "C" {
PG_MODULE_MAGIC;
}

using namespace autosync;

int probe::Live::count = 0;

namespace {

void raise_in_c()
{
    ereport(ERROR, errcode(ERRCODE_CHECK_VIOLATION), errmsg("message from C"), errdetail("Detail from C."), errhint("Hint from C."));
}

void in_context(void *) { errcontext("a frame of C"); }

/// As C code does it: a callback on the stack of contexts that a longjmp leaves behind.
void raise_in_context()
{
    ErrorContextCallback callback{error_context_stack, in_context, nullptr};
    error_context_stack = &callback;
    raise_in_c();
    error_context_stack = callback.previous;
}

std::string report(const pg::Error &error)
{
    return std::string{unpack_sql_state(error.sqlstate())} + " | " + error.what() + " | " + error.detail() + " | " + error.hint();
}

} // namespace

void probe::raise(const std::string &kind)
{
    const Live one;
    const std::array<Live, 3> more;
    if (kind == "failure")
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "message from C++", "Detail from C++.", "Hint from C++."};
    if (kind == "bare failure")
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "100 % bare: %s %n"};
    if (kind == "long failure")
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, std::string(5'000, 'm'), std::string(5'000, 'd'), std::string(5'000, 'h')};
    if (kind == "bad_alloc")
        throw std::bad_alloc{};
    if (kind == "invalid_argument")
        throw std::invalid_argument{"an argument is invalid"};
    if (kind == "runtime_error")
        throw std::runtime_error{"something went wrong"};
    if (kind == "out_of_range")
        (void)std::string{}.at(7);
    if (kind == "int")
        throw 42; // NOLINT
    if (kind == "ereport")
        pg::call(raise_in_c);
    if (kind == "context")
        pg::call(raise_in_context);
    if (kind == "spi")
        pg::execute("SELECT 1 / 0");
    if (kind == "palloc")
        pg::call([] { pfree(MemoryContextAllocHuge(CurrentMemoryContext, MaxAllocHugeSize)); });
    if (kind == "cancel")
        pg::call([] {
            QueryCancelPending = true;
            InterruptPending = true;
            CHECK_FOR_INTERRUPTS();
        });
}

namespace {

using probe::Live;
using probe::raise;

/// Which kind a frame that takes no arguments raises.
char armed_kind[64] = "";
char armed_event[64] = "";

Datum guarded(FunctionCallInfo)
{
    return pg::guard([]() -> Datum {
        const Live here;
        raise(armed_kind);
        return Datum{0};
    });
}

bool disarm(const char *event)
{
    if (strcmp(armed_event, event) != 0)
        return false;
    armed_event[0] = '\0';
    return true;
}

void at_transaction(XactEvent event, void *)
{
    pg::guard([event] {
        const Live here;
        if ((event == XACT_EVENT_PRE_COMMIT && disarm("commit")) || (event == XACT_EVENT_PRE_PREPARE && disarm("prepare")))
            raise(armed_kind);
    });
}

void at_subtransaction(SubXactEvent event, SubTransactionId, SubTransactionId, void *)
{
    pg::guard([event] {
        const Live here;
        if ((event == SUBXACT_EVENT_START_SUB && disarm("savepoint")) || (event == SUBXACT_EVENT_PRE_COMMIT_SUB && disarm("release")))
            raise(armed_kind);
    });
}

/// Raises `kind` from inside a frame of this sort. The text of what was swallowed, if that is the frame's business.
std::string raise_through(const std::string &frame, const std::string &kind)
{
    const Live here;
    strlcpy(armed_kind, kind.c_str(), sizeof(armed_kind));
    if (frame == "function")
        raise(kind);
    if (frame == "call") { // an exception passes through the frame that waits for a longjmp
        const char *const text = armed_kind;
        pg::call([text] { raise(text); });
    }
    if (frame == "guard in call")
        pg::call([] { (void)DirectFunctionCall1(guarded, Datum{0}); });
    if (frame == "guard in call, thrice") {
        const auto deeper = [] {
            pg::guard([] {
                const Live there;
                pg::call([] {
                    pg::guard([] {
                        const Live still;
                        pg::call([] { (void)DirectFunctionCall1(guarded, Datum{0}); });
                    });
                });
            });
        };
        pg::call(deeper);
    }
    if (frame == "sql")
        pg::execute("SELECT raise_through('function', $1)", {kind});
    if (frame == "plpgsql")
        pg::execute("SELECT in_plpgsql('function', $1)", {kind});
    if (frame == "subtransaction")
        pg::subtransaction([&] {
            const Live there;
            pg::execute("INSERT INTO traces VALUES ('subtransaction')");
            raise(kind);
        });
    if (frame == "swallowed") {
        std::string swallowed = "nothing";
        try {
            pg::subtransaction([&] {
                const Live there;
                pg::execute("INSERT INTO traces VALUES ('swallowed')");
                raise(kind);
            });
        } catch (const pg::Error &error) {
            swallowed = report(error);
        } catch (const std::exception &error) {
            swallowed = error.what();
        } catch (...) {
            swallowed = "something";
        }
        return swallowed + " | " + *pg::execute_one("SELECT count(*) FROM traces");
    }
    if (frame == "rethrown") { // caught, looked at, raised again; a copy stays behind
        std::exception_ptr kept;
        try {
            raise(kind);
        } catch (...) {
            kept = std::current_exception();
        }
        std::rethrow_exception(kept);
    }
    if (frame == "acting") {
        const pg::ActingAs somebody{pg::call([] { return get_role_oid("regress_bridge", false); })};
        raise(kind);
    }
    return "";
}

} // namespace

AUTOSYNC_SQL(raise_through)
{
    const Live here;
    return pg::text_datum(raise_through(pg::text_argument(fcinfo, 0), pg::text_argument(fcinfo, 1)));
}

AUTOSYNC_SQL(arm)
{
    static bool registered = false;
    if (!registered)
        pg::call([] {
            RegisterXactCallback(at_transaction, nullptr);
            RegisterSubXactCallback(at_subtransaction, nullptr);
        });
    registered = true;
    strlcpy(armed_event, pg::text_argument(fcinfo, 0).c_str(), sizeof(armed_event));
    strlcpy(armed_kind, pg::text_argument(fcinfo, 1).c_str(), sizeof(armed_kind));
    PG_RETURN_VOID();
}

AUTOSYNC_SQL(raise_in_trigger)
{
    const Live here;
    raise(reinterpret_cast<const TriggerData *>(fcinfo->context)->tg_trigger->tgargs[0]);
    return PointerGetDatum(nullptr);
}

AUTOSYNC_SQL(alive) { PG_RETURN_INT32(Live::count); }
