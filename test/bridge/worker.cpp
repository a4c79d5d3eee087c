// The same in a background worker: what a transaction of its own raises is caught there, and the next one begins afresh.
#include "probe.hpp"

#include "pg/spi.hpp"

extern "C" {
#include "postmaster/bgworker.h"
PGDLLEXPORT void bridge_worker(Datum database);
}

using namespace autosync;

namespace {

std::string caught(const std::string &kind)
{
    try {
        pg::transaction([&] {
            const probe::Live here;
            const pg::ActiveSnapshot snapshot;
            pg::execute("INSERT INTO public.traces VALUES ('worker')");
            probe::raise(kind);
        });
    } catch (const pg::Error &error) {
        return std::string{"PostgreSQL: "} + error.what();
    } catch (const pg::Failure &failure) {
        return std::string{"Failure: "} + failure.what();
    } catch (const std::exception &error) {
        return std::string{"exception: "} + error.what();
    } catch (...) {
        return "something";
    }
    return "nothing";
}

} // namespace

void bridge_worker(Datum database)
{
    pg::guard([database] {
        pg::call([database] {
            BackgroundWorkerUnblockSignals();
            BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(database), InvalidOid, 0);
        });
        for (const auto *const kind : {"failure", "bad_alloc", "int", "ereport", "spi"}) {
            const std::string what = caught(kind);
            pg::transaction([&] {
                const pg::ActiveSnapshot snapshot;
                pg::execute("INSERT INTO public.outcomes VALUES ($1, $2, $3::int, (SELECT count(*) FROM pg_backend_memory_contexts WHERE name = "
                            "'autosync error'))",
                            {kind, what, std::to_string(probe::Live::count)});
            });
        }
        // What nobody catches ends the worker, after it has been reported whole: here outside of any transaction.
        pg::transaction([] { probe::raise("context"); });
    });
}

AUTOSYNC_SQL(run_worker)
{
    const std::string library = pg::text_argument(fcinfo, 0);
    const char *const path = library.c_str();
    const auto status = pg::call([path] {
        BackgroundWorker worker{};
        strlcpy(worker.bgw_name, "bridge test", BGW_MAXLEN);
        strlcpy(worker.bgw_type, "bridge test", BGW_MAXLEN);
        worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
        worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
        worker.bgw_restart_time = BGW_NEVER_RESTART;
        strlcpy(worker.bgw_library_name, path, BGW_MAXLEN);
        strlcpy(worker.bgw_function_name, "bridge_worker", BGW_MAXLEN);
        worker.bgw_main_arg = ObjectIdGetDatum(MyDatabaseId);
        worker.bgw_notify_pid = MyProcPid;
        BackgroundWorkerHandle *handle = nullptr;
        if (!RegisterDynamicBackgroundWorker(&worker, &handle))
            elog(ERROR, "no worker to be had");
        return WaitForBackgroundWorkerShutdown(handle);
    });
    PG_RETURN_BOOL(status == BGWH_STOPPED);
}
