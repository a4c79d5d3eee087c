#include "worker/plan.hpp"

#include "worker/read.hpp"

namespace autosync::worker {

namespace {

/// Statistics may be missing or lie, and a round must never sort or scan a whole table. Planning only: the functions
/// that a filter calls plan their own statements as ever.
void pin_planner()
{
    for (const char *const name :
         {"enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "enable_sort", "enable_memoize", "jit"})
        (void)set_config_option(name, "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

} // namespace

void Plan::prepare()
{
    const char *const sql = sql_.c_str();
    const int count = static_cast<int>(parameters_.size());
    Oid *const types = parameters_.data();
    if (plan_ == nullptr)
        plan_.reset(pg::call([=] {
            SPIPlanPtr const made = SPI_prepare_cursor(sql, count, types, CURSOR_OPT_GENERIC_PLAN);
            if (made == nullptr)
                pg::fail_spi("SPI_prepare_cursor", SPI_result);
            SPI_keepplan(made);
            return made;
        }));
    SPIPlanPtr const plan = plan_.get();
    pg::call([plan] {
        const int level = NewGUCNestLevel();
        pin_planner();
        CachedPlan *const planned = SPI_plan_get_cached_plan(plan);
        if (planned == nullptr)
            pg::fail(ERRCODE_SYNTAX_ERROR, "a condition must be one expression");
        ReleaseCachedPlan(planned, CurrentResourceOwner);
        AtEOXact_GUC(true, level);
    });
}

std::span<const HeapTuple> Plan::run(std::span<const Datum> values, std::span<const Oid> types, TupleDesc *shape)
{
    SPIPlanPtr const plan = plan_.get();
    auto *const data = const_cast<Datum *>(values.data());
    pg::call([=] {
        const int code = SPI_execute_plan(plan, data, nullptr, true, 0);
        if (code != SPI_OK_SELECT)
            pg::fail_spi("SPI_execute_plan", code);
    });
    *shape = SPI_tuptable->tupdesc;
    const TupleDesc found = *shape;
    const Oid *const expected = types.data();
    const std::size_t count = types.size();
    const bool same = pg::call([=] {
        bool result = static_cast<std::size_t>(found->natts) == count;
        for (std::size_t i = 0; result && i < count; ++i) {
            const Oid type = TupleDescAttr(found, static_cast<int>(i))->atttypid;
            result = type == expected[i] || getBaseType(type) == getBaseType(expected[i]);
        }
        return result;
    });
    if (!same)
        throw SyncTrouble{ERRCODE_DATATYPE_MISMATCH, "a column of the table has changed its type"};
    return {SPI_tuptable->vals, SPI_tuptable->numvals};
}

} // namespace autosync::worker
